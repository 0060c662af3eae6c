// Leads the peer connections of a page through a SlowLink: `entrance(host, port)` is its method.
// The server sees that address alone, and the page sees no other one of the server.
{
  const OWN = /^a=candidate:.*\r\n/gm;
  const { prototype } = RTCPeerConnection;

  const entrances = new Map();

  // A line of a candidate as it leads through the link; null for one that is left out.
  const through = (line) => {
    const fields = line.split(' ');
    const [, , protocol, , host, port] = fields;
    if (protocol.toLowerCase() !== 'udp' || host.includes(':')) return null;
    const address = `${host} ${port}`;
    if (!entrances.has(address)) throw new Missing(host, Number(port));
    fields[5] = entrances.get(address);
    return fields.join(' ');
  };

  class Missing extends Error {
    constructor(host, port) {
      super(`${host} ${port}`);
      this.open = () => window.entrance(host, port);
    }
  }

  // Without waiting where all entrances are there: the state of a connection must not change between
  // the page's call and the browser's.
  const withEntrances = (work) => {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof Missing)) throw error;
      return error.open().then((port) => {
        entrances.set(error.message, port);
        return withEntrances(work);
      });
    }
  };

  for (const name of ['createOffer', 'createAnswer']) {
    const create = prototype[name];
    prototype[name] = async function (...options) {
      const { type, sdp } = await create.apply(this, options);
      return { type, sdp: sdp.replace(OWN, '') };
    };
  }

  Object.defineProperty(prototype, 'onicecandidate', { get: () => null, set() {} });

  const { setRemoteDescription, addIceCandidate } = prototype;
  prototype.setRemoteDescription = function ({ type, sdp }) {
    return withEntrances(() => {
      const lines = sdp
        .split('\r\n')
        .map((line) => (line.startsWith('a=candidate:') ? through(line) : line));
      const known = lines.filter((line) => line !== null).join('\r\n');
      return setRemoteDescription.call(this, { type, sdp: known });
    });
  };
  prototype.addIceCandidate = function (init) {
    return withEntrances(() => {
      const candidate = init?.candidate ? through(init.candidate) : '';
      if (candidate) return addIceCandidate.call(this, { ...init, candidate });
      return Promise.resolve();
    });
  };
}
