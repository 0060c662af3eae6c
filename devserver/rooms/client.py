"""The capabilities of a participant's SDK, by its version and protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

from devserver.rooms import codec_rules

if TYPE_CHECKING:
    from collections.abc import Iterable

_JS_READS_RECONNECT_SINCE = (1, 6, 3)
_DIGITS = 10


class Client:
    """The client of one participant (pkg/rtc/types/protocol_version.go, pkg/rtc/clientinfo.go)."""

    def __init__(self, info: models.ClientInfo) -> None:
        self._info = info

    @property
    def client_protocol(self) -> int:
        """The client protocol that other clients read."""
        return self._info.client_protocol

    @property
    def capabilities(self) -> Iterable[models.ClientInfo.Capability]:
        """Further capabilities of the client, each once."""
        return dict.fromkeys(self._info.capabilities)

    @property
    def configuration(self) -> models.ClientConfiguration | None:
        """The features that the client must not use; None for most clients."""
        return codec_rules.client_configuration(self._info)

    @property
    def publish_codecs(self) -> list[str]:
        """The MIME types of the codecs that the client may publish, the safest ones first."""
        return codec_rules.publish_codecs(self._info)

    @property
    def keeps_codec_order(self) -> bool:
        """Whether the client sends the codec that an answer has first."""
        return codec_rules.keeps_order(self._info)

    @property
    def reads_trailers(self) -> bool:
        """Whether the client knows the metadata at the end of a video frame."""
        return models.ClientInfo.CAP_PACKET_TRAILER in self._info.capabilities

    @property
    def notices_packets(self) -> bool:
        """Whether the client notices a track only by its packets (FireTrackByRTPPacket)."""
        return self._info.sdk == models.ClientInfo.GO

    @property
    def expects_offers(self) -> bool:
        """Whether, of two connections, the one that the server offers is the primary one."""
        return self._info.protocol > 2

    @property
    def knows_successors(self) -> bool:
        """Whether the client sees by its identity that a session replaces another one."""
        return self._info.protocol > 11

    @property
    def reads_reconnect(self) -> bool:
        """Whether the client can read a ReconnectResponse."""
        if self._info.sdk != models.ClientInfo.JS:
            return True
        return _version(self._info.version) >= _JS_READS_RECONNECT_SINCE

    @property
    def _reads_unknown_signals(self) -> bool:
        return self._info.sdk != models.ClientInfo.RUST or self._info.protocol >= 10

    def understands(self, response: rtc.SignalResponse) -> bool:
        """Whether ``response`` may be sent to the client."""
        match response.WhichOneof("message"):
            case "track_subscribed":
                return self._reads_unknown_signals
            case "request_response":
                succeeded = response.request_response.reason == rtc.RequestResponse.OK
                return self._reads_unknown_signals and (not succeeded or self._info.protocol > 14)
            case "reconnect":
                return self.reads_reconnect
            case _:
                return True

    def leave(
        self, reason: models.DisconnectReason, action: rtc.LeaveRequest.Action
    ) -> rtc.LeaveRequest:
        """Return the request to leave; old clients only understand whether to come back."""
        if self._info.protocol > 12:
            return rtc.LeaveRequest(reason=reason, action=action)
        return rtc.LeaveRequest(reason=reason, can_reconnect=action == rtc.LeaveRequest.RECONNECT)


def _version(text: str) -> tuple[int, ...]:
    """Return the numbers of a version; an unreadable one counts as older than any."""
    release = text.partition("-")[0].split(".")
    if not all(part.isdecimal() and len(part) < _DIGITS for part in release):
        return ()
    return tuple(int(part) for part in release)
