"""What a participant is to its peer connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from livekit.protocol import models, rtc

    from devserver.media.track import PublishedTrack
    from devserver.rooms.publications import Publications
    from devserver.rooms.subscriptions import Subscriptions


class ConnectionOwner(Protocol):
    """Where the peer connections get their tracks from, and whom they notify."""

    publications: Publications
    subscriptions: Subscriptions

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
