// Leads the peer connections of a page through a SlowLink: `entrance(host, port)` is its method.
// The server sees that address alone, and the page sees no other one of the server.
{
  const OWN = /^a=candidate:.*\r\n/gm;
  const { prototype } = RTCPeerConnection;

  const entrances = new Map();

  // A line of a candidate as it leads through the link; empty for one that is left out.
  const through = async (line) => {
    const fields = line.split(' ');
    const [, , protocol, , host, port] = fields;
    if (protocol.toLowerCase() !== 'udp' || host.includes(':')) return '';
    const address = `${host} ${port}`;
    if (!entrances.has(address)) entrances.set(address, window.entrance(host, Number(port)));
    fields[5] = await entrances.get(address);
    return fields.join(' ');
  };

  // A browser carries out the calls of a connection one after the other; so does this, since some of
  // them wait for entrances first.
  const ends = new WeakMap();
  const inTurn = (name, work) => {
    const call = prototype[name];
    prototype[name] = function (...options) {
      const own = (...changed) => call.apply(this, changed);
      const turn = (ends.get(this) ?? Promise.resolve()).then(() => work(own, ...options));
      ends.set(
        this,
        turn.catch(() => {}),
      );
      return turn;
    };
  };

  const withoutCandidates = async (create, ...options) => {
    const { type, sdp } = await create(...options);
    return { type, sdp: sdp.replace(OWN, '') };
  };
  inTurn('createOffer', withoutCandidates);
  inTurn('createAnswer', withoutCandidates);
  inTurn('setLocalDescription', (set, ...options) => set(...options));
  inTurn('setRemoteDescription', async (set, { type, sdp }) => {
    const lines = await Promise.all(
      sdp.split('\r\n').map((line) => (line.startsWith('a=candidate:') ? through(line) : line)),
    );
    // The last line is empty, too.
    return set({ type, sdp: `${lines.filter((line) => line).join('\r\n')}\r\n` });
  });
  inTurn('addIceCandidate', async (add, init) => {
    const candidate = init?.candidate ? await through(init.candidate) : '';
    if (candidate) await add({ ...init, candidate });
  });

  Object.defineProperty(prototype, 'onicecandidate', { get: () => null, set() {} });
}
