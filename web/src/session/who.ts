/** The user's identity and room: from the address, else from this browser's storage. */

export interface Who {
  readonly room: string;
  readonly identity: string;
  readonly name: string;
  readonly role: string;
}

const IDENTITY = 'room-agent.identity';
const NAME = 'room-agent.name';

/** Keeps the identity after a reload and on the next visit; a second tab gets another. */
export async function whoAmI(): Promise<Who> {
  const query = new URLSearchParams(location.search);
  const identity = query.get('identity') ?? (await ownIdentity());
  return {
    room: query.get('room') || 'demo',
    identity,
    name: query.get('name') ?? localStorage.getItem(NAME) ?? `Guest ${identity.slice(-3)}`,
    role: query.get('role') ?? '',
  };
}

export function rememberName(name: string): void {
  localStorage.setItem(NAME, name);
}

async function ownIdentity(): Promise<string> {
  const ofTab = sessionStorage.getItem(IDENTITY);
  if (ofTab) {
    await hold(ofTab);
    return ofTab;
  }
  let identity = localStorage.getItem(IDENTITY);
  if (!identity || !(await hold(identity))) {
    identity = `guest-${100_000 + (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) % 900_000}`;
    await hold(identity);
    if (!localStorage.getItem(IDENTITY)) localStorage.setItem(IDENTITY, identity);
  }
  sessionStorage.setItem(IDENTITY, identity);
  return identity;
}

/** Holds an identity while the page is open; returns false if another tab holds it. */
function hold(identity: string): Promise<boolean> {
  return new Promise((resolve) => {
    void navigator.locks.request(`${IDENTITY}:${identity}`, { ifAvailable: true }, (lock) => {
      resolve(lock !== null);
      return lock ? new Promise<void>(() => undefined) : undefined;
    });
  });
}
