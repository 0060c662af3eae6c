"""ParticipantRoom: a room, as its participants use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from livekit.protocol import models

    from devserver.media.track import PublishedTrack
    from devserver.rooms.room_context import RoomContext

ParticipantT = TypeVar("ParticipantT")


class ParticipantRoom(Protocol[ParticipantT]):
    """A room, as its participants know it; ``Room`` is one."""

    @property
    def context(self) -> RoomContext: ...

    @property
    def info(self) -> models.Room: ...

    @property
    def participants(self) -> Mapping[str, ParticipantT]: ...

    def announce(self, participant: ParticipantT, *, at_once: bool = False) -> None:
        """Tell everyone how ``participant`` is now, when the server's timing has it or at once."""
        ...

    def joined(self, participant: ParticipantT) -> None:
        """Note that the media connection of ``participant`` is up."""
        ...

    def release(self, participant: ParticipantT) -> None:
        """Remove ``participant`` and notify the others."""
        ...

    def track_published(self, publisher: ParticipantT, track: PublishedTrack) -> None:
        """Tell everyone about a track whose media section is negotiated."""
        ...

    def track_unpublished(self, publisher: ParticipantT, track: PublishedTrack) -> None:
        """Tell everyone that a track has ended."""
        ...

    def reconcile_subscriptions(self, publisher: ParticipantT) -> None:
        """Let the others start and stop receiving, as ``publisher`` now permits."""
        ...

    def heard(self, listener: ParticipantT, publisher_sid: str) -> None:
        """Tell ``listener``, who begins to receive from a publisher, how that one is."""
        ...

    def counts_changed(self) -> None:
        """Note that somebody publishes from now on, or no longer."""
        ...

    def receive_data(self, sender: ParticipantT, data: bytes, kind: models.DataPacket.Kind) -> None:
        """Forward a packet that ``sender`` sent on a data channel."""
        ...

    def send_data(self, packet: models.DataPacket, kind: models.DataPacket.Kind) -> None:
        """Send a packet of the server's own to its destinations."""
        ...
