"""ConnectionOwner: a participant, as its peer connections use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from livekit.protocol import models, rtc

    from devserver.media.track import PublishedTrack


class AnnouncedTracks(Protocol):
    """The tracks that a participant publishes."""

    def pending(self, cid: str | None, kind: str) -> PublishedTrack | None:
        """Return the announced track that a media section with this track id carries."""
        ...

    def negotiated(self, track: PublishedTrack) -> None:
        """Note that the media section of ``track`` is negotiated."""
        ...

    def end(self, track: PublishedTrack) -> None:
        """End a track."""
        ...


class WantedTracks(Protocol):
    """The tracks that a participant is to receive."""

    def wanted(self) -> list[PublishedTrack]:
        """Return them, oldest publisher first."""
        ...

    def is_paused(self, track: PublishedTrack) -> bool:
        """Whether packets of ``track`` are not wanted for now."""
        ...

    def layer(self, track: PublishedTrack) -> int:
        """Return the largest simulcast layer of ``track`` that is wanted."""
        ...


class Client(Protocol):
    """The client of a participant."""

    @property
    def keeps_codec_order(self) -> bool:
        """Whether it sends the codec that an answer has first."""
        ...

    @property
    def reads_trailers(self) -> bool:
        """Whether it knows the metadata at the end of a video frame."""
        ...

    @property
    def notices_packets(self) -> bool:
        """Whether it notices a track only by its packets."""
        ...


class ConnectionOwner(Protocol):
    """The owner of peer connections: supplies their tracks, and receives their events."""

    @property
    def publications(self) -> AnnouncedTracks: ...

    @property
    def subscriptions(self) -> WantedTracks: ...

    @property
    def client(self) -> Client: ...

    @property
    def identity(self) -> str:
        """The participant's identity, for the log."""
        ...

    def send(self, response: rtc.SignalResponse) -> None:
        """Send ``response`` on the current signal connection."""
        ...

    def receive_data(self, data: bytes, kind: models.DataPacket.Kind) -> None:
        """Take a packet that the client sent on a data channel."""
        ...

    def subscribed_to(self, track: PublishedTrack) -> None:
        """Note that ``track`` is being sent to the client."""
        ...

    def connected(self) -> None:
        """Note that the primary peer connection is up."""
        ...

    def disconnected(self) -> None:
        """Note that a peer connection failed, or that the client closed it."""
        ...

    def negotiation_failed(self, reason: str) -> None:
        """Note that the client and the server cannot agree on a session description."""
        ...
