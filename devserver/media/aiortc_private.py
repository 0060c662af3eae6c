"""Everything of aiortc that is not its public interface, in one place.

aiortc decodes what it receives and encodes what it sends. This server does neither: it takes the
place of aiortc's RTP receivers and senders between the SDP and the encrypted transport.
tests/devserver/test_aiortc_private.py checks the shapes it needs; aiortc's minor version is pinned.
"""

# pyright: reportPrivateUsage=false
# The private names of aiortc are this file's subject.

from __future__ import annotations

import functools
import struct
from typing import TYPE_CHECKING, Protocol, cast

import pylibsrtp
from aioice import ice
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, rtcicetransport
from aiortc.codecs import CODECS, HEADER_EXTENSIONS
from aiortc.rtcdtlstransport import RtpRouter, State
from aiortc.rtcrtpparameters import (
    RTCRtcpFeedback,
    RTCRtpCodecParameters,
    RTCRtpHeaderExtensionParameters,
)
from aiortc.rtcrtpreceiver import NackGenerator, StreamStatistics
from aiortc.rtp import RtpPacket, is_rtcp
from aiortc.utils import random32

from devserver.media.aioice_private import IceConnection, StunProtocol
from devserver.media.codecs import OPUS, RED
from devserver.media.header_extensions import (
    DEPENDENCY_DESCRIPTOR,
    REPAIRED_RID,
    RID,
    ExtensionMap,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiortc import RTCRtpTransceiver
    from aiortc.rtcdtlstransport import RTCDtlsTransport, RtpReceiver
    from aiortc.rtcdtlstransport import RtpSender as AiortcSender
    from aiortc.rtcicetransport import RTCIceParameters
    from aiortc.rtcrtpparameters import (
        RTCRtpReceiveParameters,
        RTCRtpSendParameters,
    )
    from aiortc.rtp import AnyRtcpPacket

__all__ = [
    "MidRouter",
    "NackGenerator",
    "RtpSender",
    "StreamStatistics",
    "close",
    "codecs_of",
    "configure",
    "new_peer_connection",
    "register_receiver",
    "register_sender",
    "renew_ssrcs",
    "replace_media",
    "restart_ice",
    "route_by_mid",
    "send_rtp",
    "set_codecs",
    "set_msid",
    "ssrcs_of",
    "start_media",
    "transport_mid",
    "transport_of",
    "unregister_receiver",
    "unregister_sender",
]

_VIDEO_EXTENSIONS = (
    (12, DEPENDENCY_DESCRIPTOR),
    (13, RID),
    (14, REPAIRED_RID),
)
_FORWARDED_VIDEO = ((105, "video/VP9"), (107, "video/AV1"), (109, "video/H265"))
"""Codecs without a decoder in aiortc, with the payload types that this server offers them by; the
numbers after them are those of their retransmissions."""
_OPUS, _RED = 111, 63
"""The payload types of Opus and of Opus with redundancy, whose blocks name the former: those that
browsers give them."""
_MAX_SSRCS = 4_096
"""SSRCs that one client may send, those of tracks that ended included."""
_COMPONENT = 1
"""The only component of a connection whose RTCP shares the port of RTP, which all have."""


class RtpSender(Protocol):
    """The receiver of a transport's RTCP feedback about an SSRC."""

    _ssrc: int

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None: ...


class MediaReceiver(Protocol):
    """Takes the RTP of a section."""

    def take(self, packet: RtpPacket) -> None: ...


class MidRouter(RtpRouter):
    """Routes RTP of an unknown SSRC by its MID extension, as RFC 9143 (9.2) has it.

    aiortc's own router goes by payload type, which fails when a client that did not announce its
    SSRCs, as Chrome does not for simulcast, sends on two sections. The mapping by MID is kept as
    long as a section has its track: libwebrtc names it only until the first report has come back.
    """

    def register_receiver(
        self,
        receiver: RtpReceiver,
        ssrcs: list[int],
        payload_types: list[int],
        mid: str | None = None,
    ) -> None:
        """Route to ``receiver``, whose parameters take the place of those of a former call."""
        learned = self._ssrcs_of(receiver) if receiver in self.receivers else []
        super().unregister_receiver(receiver)
        super().register_receiver(receiver, [*learned, *ssrcs], payload_types, mid)

    def unregister_receiver(self, receiver: RtpReceiver) -> None:
        """Route nothing to ``receiver``, nor its late packets to the only other receiver."""
        ssrcs = self._ssrcs_of(receiver)
        super().unregister_receiver(receiver)
        self.ssrc_table.update(dict.fromkeys(ssrcs, receiver))

    def route_rtp(self, packet: RtpPacket) -> RtpReceiver | None:
        known = packet.ssrc in self.ssrc_table
        if not known and len(self.ssrc_table) >= _MAX_SSRCS:
            return None
        mid = packet.extensions.mid
        receiver = self.mid_table.get(mid) if mid is not None else None
        if receiver is not None:
            self.ssrc_table[packet.ssrc] = receiver
        elif mid is not None and not known:
            return None
        return super().route_rtp(packet)

    def route_rtcp(self, packet: AnyRtcpPacket) -> set[RtpReceiver | AiortcSender]:
        """Return the receivers of ``packet``: none, if it is malformed."""
        try:
            return super().route_rtcp(packet)
        except struct.error:  # of an estimate that names more streams than it has room for
            return set()

    def _ssrcs_of(self, receiver: RtpReceiver) -> list[int]:
        return [ssrc for ssrc, each in self.ssrc_table.items() if each is receiver]


def configure() -> None:
    """Adapt aiortc's module-wide settings; further calls change nothing.

    Chrome refuses its own simulcast offer unless the RID extensions were accepted on the bundle's
    earlier video sections. Offers take their codecs from here; answers from ``set_codecs``.
    """
    known = {extension.uri for extension in HEADER_EXTENSIONS["video"]}
    for number, uri in _VIDEO_EXTENSIONS:
        if uri not in known:
            HEADER_EXTENSIONS["video"].append(RTCRtpHeaderExtensionParameters(id=number, uri=uri))
    CODECS["audio"][:] = _audio_codecs(CODECS["audio"])
    known_codecs = {codec.mimeType for codec in CODECS["video"]}
    for payload_type, mime_type in _FORWARDED_VIDEO:
        if mime_type not in known_codecs:
            CODECS["video"].extend(_video_codec(payload_type, mime_type))
    setattr(rtcicetransport, "Connection", IceConnection)  # noqa: B010  what gatherers make
    setattr(ice, "StunProtocol", StunProtocol)  # noqa: B010  what connections make


def _audio_codecs(codecs: list[RTCRtpCodecParameters]) -> list[RTCRtpCodecParameters]:
    """Return livekit-server's audio codecs, by its payload types."""
    opus, red = (
        RTCRtpCodecParameters(mimeType=mime, clockRate=48000, channels=2, payloadType=number)
        for mime, number in ((OPUS, _OPUS), (RED, _RED))
    )
    red.parameters = {f"{_OPUS}/{_OPUS}": None}
    return [opus, red, *(each for each in codecs if each.mimeType in ("audio/PCMU", "audio/PCMA"))]


def _video_codec(payload_type: int, mime_type: str) -> list[RTCRtpCodecParameters]:
    """Return a video codec and its retransmissions, with the feedback of aiortc's own codecs."""
    feedback = [
        RTCRtcpFeedback(type="nack"),
        RTCRtcpFeedback(type="nack", parameter="pli"),
        RTCRtcpFeedback(type="goog-remb"),
    ]
    return [
        RTCRtpCodecParameters(
            mimeType=mime_type, clockRate=90000, payloadType=payload_type, rtcpFeedback=feedback
        ),
        RTCRtpCodecParameters(
            mimeType="video/rtx",
            clockRate=90000,
            payloadType=payload_type + 1,
            parameters={"apt": payload_type},
        ),
    ]


def new_peer_connection() -> RTCPeerConnection:
    """Return a peer connection with one transport for everything and no STUN server."""
    return RTCPeerConnection(
        RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
    )


async def start_media(connection: RTCPeerConnection) -> None:
    """Begin to send and to receive what was negotiated.

    aiortc forgets sections that were negotiated while its transport was being connected for the
    data channels alone.
    """
    await getattr(connection, "_RTCPeerConnection__connect")()  # noqa: B009


async def close(connection: RTCPeerConnection) -> None:
    """End a connection, also where a malformed offer left sections without a transport, over which
    aiortc would stumble before it closes its sockets."""
    transceivers = getattr(connection, "_RTCPeerConnection__transceivers")  # noqa: B009
    transceivers[:] = [each for each in transceivers if each.receiver.transport is not None]
    await connection.close()


def route_by_mid(transport: RTCDtlsTransport) -> None:
    """Give ``transport`` a MidRouter and an ExtensionMap; call it before anything is received.

    From then on its RTP goes to the receivers' ``take`` within the callback of the socket.
    """
    if not isinstance(transport._rtp_router, MidRouter):
        transport._rtp_router = MidRouter()
        transport._rtp_header_extensions_map = ExtensionMap()
        connection = cast("IceConnection", transport.transport._connection)
        connection.take_media = functools.partial(_take_media, transport)


def _take_media(transport: RTCDtlsTransport, data: bytes) -> bool:
    """Hand a packet of RTP to its receiver; False if it is RTCP, or came before its keys.

    What does not decrypt, is malformed or belongs to nobody is dropped, as in aiortc.
    """
    if transport._state is not State.CONNECTED or is_rtcp(data):
        return False
    try:
        plain = transport._rx_srtp.unprotect(data)
        packet = RtpPacket.parse(plain, transport._rtp_header_extensions_map)
    except (pylibsrtp.Error, ValueError):
        return True
    receiver = cast("MediaReceiver | None", transport._rtp_router.route_rtp(packet))
    if receiver is not None:
        receiver.take(packet)
    return True


def restart_ice(transport: RTCDtlsTransport, parameters: RTCIceParameters) -> None:
    """Check connectivity with the client's new credentials from now on.

    aiortc has no ICE restart. The server's own credentials and sockets stay, which clients accept:
    their checks from new ports make new pairs, and the one they nominate carries everything.
    """
    connection = transport.transport._connection
    connection.remote_username = parameters.usernameFragment
    connection.remote_password = parameters.password


def transport_of(transceiver: RTCRtpTransceiver) -> RTCDtlsTransport:
    """Return the encrypted transport of a media section."""
    return transceiver.receiver.transport


def transport_mid(connection: RTCPeerConnection) -> str | None:
    """Return the section by which aiortc knows the connection's transport, once there is one.

    Everything shares it, but aiortc takes candidates only for the section that made it.
    """
    for transceiver in connection.getTransceivers():
        if not transceiver._bundled:
            return transceiver.mid
    return connection.sctp.mid if connection.sctp is not None else None


def codecs_of(transceiver: RTCRtpTransceiver) -> list[RTCRtpCodecParameters]:
    """Return the codecs negotiated for a media section, the client's favourite first."""
    return transceiver._codecs


def set_codecs(transceiver: RTCRtpTransceiver, codecs: list[RTCRtpCodecParameters]) -> None:
    """Negotiate ``codecs`` for a media section, in this order.

    aiortc knows neither the payload types below 64, which browsers use when they run out of others,
    nor profiles of codecs other than H264.
    """
    transceiver._codecs = codecs


def ssrcs_of(transceiver: RTCRtpTransceiver) -> tuple[int, int]:
    """Return the SSRCs that the section's description announces: media, retransmission."""
    return transceiver.sender._ssrc, transceiver.sender._rtx_ssrc


def renew_ssrcs(transceiver: RTCRtpTransceiver) -> None:
    """Make the section's description announce fresh SSRCs."""
    transceiver.sender._ssrc = random32()
    transceiver.sender._rtx_ssrc = random32()


def set_msid(transceiver: RTCRtpTransceiver, stream_id: str, track_id: str) -> None:
    """Name the stream and the track that the section's description announces."""
    transceiver.sender._stream_id = stream_id
    transceiver.sender._track_id = track_id


def replace_media(
    transceiver: RTCRtpTransceiver,
    receive: Callable[[RTCRtpReceiveParameters], Awaitable[None]],
    send: Callable[[RTCRtpSendParameters], Awaitable[None]],
) -> None:
    """Call ``receive`` and ``send`` where aiortc would start to decode and to encode.

    Both are called whenever a negotiation is done and the transport is connected: ``receive`` if
    the client sends in this section, ``send`` if it receives.
    """
    setattr(transceiver.receiver, "receive", receive)  # noqa: B010  a method of the instance
    setattr(transceiver.sender, "send", send)  # noqa: B010  a method of the instance


def register_receiver(
    transport: RTCDtlsTransport, receiver: RtpReceiver, parameters: RTCRtpReceiveParameters
) -> None:
    """Route the packets of a section to ``receiver``."""
    transport._register_rtp_receiver(receiver, parameters)


def unregister_receiver(transport: RTCDtlsTransport, receiver: RtpReceiver) -> None:
    """Stop routing packets to ``receiver``."""
    transport._unregister_rtp_receiver(receiver)


def register_sender(
    transport: RTCDtlsTransport, sender: RtpSender, parameters: RTCRtpSendParameters
) -> None:
    """Route the feedback to a section to ``sender``."""
    transport._unregister_rtp_sender(sender)
    transport._register_rtp_sender(sender, parameters)


def unregister_sender(transport: RTCDtlsTransport, sender: RtpSender) -> None:
    """Stop routing feedback to ``sender``."""
    transport._unregister_rtp_sender(sender)


def send_rtp(transport: RTCDtlsTransport, data: bytes) -> None:
    """Send an RTP or RTCP packet; it is dropped unless the connection is open."""
    if transport._state is not State.CONNECTED:
        return
    session = transport._tx_srtp
    pair = transport.transport._connection._nominated.get(_COMPONENT)
    if pair is not None:
        data = session.protect_rtcp(data) if is_rtcp(data) else session.protect(data)
        pair.protocol.transport.sendto(data, pair.remote_addr)
