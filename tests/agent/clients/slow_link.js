// Leads the peer connections of a page through a SlowLink: `entrance(host, port)` is its method.
// The server sees that address alone, and the page sees no other one of the server.
{
  const OWN = /^a=candidate:.*\r\n/gm;
  const { prototype } = RTCPeerConnection;

  const through = async (candidate) => {
    const fields = candidate.split(' ');
    const [, , protocol, , host, port] = fields;
    if (protocol.toLowerCase() !== 'udp' || host.includes(':')) return null;
    fields[5] = await window.entrance(host, Number(port));
    return fields.join(' ');
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
  prototype.setRemoteDescription = async function ({ type, sdp }) {
    const lines = [];
    for (const line of sdp.split('\r\n'))
      lines.push(line.startsWith('a=candidate:') ? await through(line) : line);
    const known = lines.filter((line) => line !== null);
    return setRemoteDescription.call(this, { type, sdp: known.join('\r\n') });
  };
  prototype.addIceCandidate = async function (init) {
    const candidate = init?.candidate ? await through(init.candidate) : '';
    if (candidate) await addIceCandidate.call(this, { ...init, candidate });
  };
}
