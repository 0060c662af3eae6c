/** Files that the agent has sent, as object URLs. */

import { useSyncExternalStore } from 'react';
import type { ReceivedFile, RoomAgent } from 'livekit-room-agent';

const MOST = 64;

/** The newest files of one agent, by id. */
class ReceivedFiles {
  #urls = new Map<string, string>();
  #listeners = new Set<() => void>();

  constructor(agent: RoomAgent) {
    agent.on('file', (file) => this.#take(file));
  }

  url(id: string): string | undefined {
    return this.#urls.get(id);
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  };

  #take({ fileId, bytes, mimeType }: ReceivedFile): void {
    const former = this.#urls.get(fileId);
    if (former) URL.revokeObjectURL(former);
    this.#urls.delete(fileId);
    this.#urls.set(fileId, URL.createObjectURL(new Blob([bytes as Uint8Array<ArrayBuffer>], { type: mimeType })));
    const [oldest] = this.#urls;
    if (this.#urls.size > MOST && oldest) {
      URL.revokeObjectURL(oldest[1]);
      this.#urls.delete(oldest[0]);
    }
    for (const listener of [...this.#listeners]) listener();
  }
}

const stores = new WeakMap<RoomAgent, ReceivedFiles>();

/** Returns the store of an agent; call it before the room is connected, so that it gets all files. */
export function receivedFiles(agent: RoomAgent): ReceivedFiles {
  let store = stores.get(agent);
  if (!store) stores.set(agent, (store = new ReceivedFiles(agent)));
  return store;
}

export function useReceivedFile(agent: RoomAgent, id: string): string | undefined {
  const store = receivedFiles(agent);
  return useSyncExternalStore(store.subscribe, () => store.url(id));
}
