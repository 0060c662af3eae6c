"""A media section of a participant's session description: one track in, or one out."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from devserver.media import aiortc_private
from devserver.media.blank_packets import BlankPackets
from devserver.media.codecs import preferring, taken
from devserver.media.rtp_receiver import RtpReceiver
from devserver.media.rtp_sender import RtpSender

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiortc import RTCRtpTransceiver
    from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpSendParameters

    from devserver.media.bandwidth import Bandwidth
    from devserver.media.track import PublishedTrack
    from devserver.tasks import TaskSet

_SENDING = ("sendonly", "sendrecv")
_REMEMBERED_TRACKS = 100


class Section:
    """The tracks of one media section."""

    def __init__(
        self, transceiver: RTCRtpTransceiver, tasks: TaskSet, bandwidth: Bandwidth
    ) -> None:
        self._transceiver = transceiver
        self._receiver = RtpReceiver(transceiver, tasks)
        self._sender: RtpSender | None = None
        self._tasks = tasks
        self._bandwidth = bandwidth
        aiortc_private.replace_media(transceiver, self._receiver.receive, self._send)
        self.published: PublishedTrack | None = None
        """The track that the client sends here."""
        self._offered = "inactive"
        self._was_sending = False
        self._only_preferred = False
        self._rids: Sequence[str] = ()
        self._carried: deque[str] = deque(maxlen=_REMEMBERED_TRACKS)

    @property
    def mid(self) -> str:
        """The section's name."""
        return self._transceiver.mid or ""

    @property
    def kind(self) -> str:
        """``audio`` or ``video``."""
        return self._transceiver.kind

    @property
    def subscribed(self) -> PublishedTrack | None:
        """The track that the client receives here."""
        return self._sender.track if self._sender else None

    def score(self) -> float | None:
        """Score the delivery of this section's media since the last call; None if it sends none."""
        return self._sender.score() if self._sender else None

    def adapt(self, *, paused: bool, layer: int) -> None:
        """Send no packets for now, or those of a simulcast ``layer``, or of one near it."""
        if self._sender is not None:
            self._sender.adapt(paused=paused, layer=layer)

    @property
    def client_sends(self) -> bool:
        """Whether the client offers to send here."""
        return self._offered in _SENDING

    @property
    def is_free(self) -> bool:
        """Whether a track may be sent to the client here.

        Not right after another one ended: a client sees a new track only in a section that has
        been inactive (JSEP, 5.10: the track event fires when a section begins to receive).
        """
        return self.is_vacant and not self._was_sending

    @property
    def is_vacant(self) -> bool:
        """Whether the client would receive here, and nothing is sent."""
        return self._offered == "recvonly" and not self.published and not self.subscribed

    @property
    def ended(self) -> bool:
        """Whether the client still has to hear that nothing is sent here any more."""
        return self._was_sending and self.subscribed is None

    def offer(self, direction: str, rids: Sequence[str] = ()) -> None:
        """Note in which ``direction`` the client offers the section, and in which layers."""
        self._offered = direction
        self._rids = rids

    def negotiate(self, offered: Sequence[RTCRtpCodecParameters]) -> None:
        """Take those of the client's codecs that can be forwarded."""
        codecs = taken(offered)
        if self.published is not None:
            codecs = self._preferring(self.published, codecs)
        aiortc_private.set_codecs(self._transceiver, codecs)

    def publish(self, track: PublishedTrack, *, only_preferred: bool) -> None:
        """Receive ``track`` here, in the codec that its publisher asked for.

        With ``only_preferred``, the answer has no other one.
        """
        self.published = track
        self._only_preferred = only_preferred
        codecs = self._preferring(track, aiortc_private.codecs_of(self._transceiver))
        aiortc_private.set_codecs(self._transceiver, codecs)
        track.attach(self._receiver, self.mid, codecs[0], self._rids)

    def unpublish(self) -> PublishedTrack | None:
        """Receive nothing any more; return the track that ended."""
        track, self.published = self.published, None
        if track is not None:
            track.detach()
            self._receiver.stop()
        return track

    def has_carried(self, track: PublishedTrack) -> bool:
        """Whether ``track`` was sent here before."""
        return track.sid in self._carried

    def subscribe(self, track: PublishedTrack, *, trailers: bool, blanks: bool) -> None:
        """Send ``track`` here, with the metadata of its frames only if ``trailers``.

        With ``blanks`` packets without content go out until the first one of a silent track.
        """
        self._carried.append(track.sid)
        aiortc_private.set_msid(self._transceiver, f"{track.publisher.sid}|{track.sid}", track.sid)
        self._sender = RtpSender(
            self._transceiver,
            track,
            self._tasks,
            self._bandwidth,
            trailers=trailers,
            blanks=BlankPackets(self._transceiver, track) if blanks else None,
        )
        track.add_sender(self._sender)

    def unsubscribe(self) -> None:
        """Send nothing any more."""
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.track.remove_sender(sender)
            sender.stop()
            # A description that names a track twice makes clients fail.
            aiortc_private.set_msid(self._transceiver, "-", f"ended-{self.mid}")

    def prepare_answer(self) -> None:
        """Set the direction that the answer states."""
        self._was_sending = self.subscribed is not None
        self._transceiver.direction = "sendonly" if self.subscribed else "recvonly"

    def prepare_offer(self) -> None:
        """Set the direction that the server's offer states."""
        self._was_sending = self.subscribed is not None
        self._transceiver.direction = "sendonly" if self.subscribed else "inactive"

    def _preferring(
        self, track: PublishedTrack, codecs: Sequence[RTCRtpCodecParameters]
    ) -> list[RTCRtpCodecParameters]:
        only = self._only_preferred and track.kind == "video"
        return preferring(codecs, track.preferred_codec, only=only)

    async def _send(self, parameters: RTCRtpSendParameters) -> None:
        if self._sender is not None:
            await self._sender.send(parameters)
