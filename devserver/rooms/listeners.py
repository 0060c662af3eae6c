"""RoomListener: base class for listeners to the life of rooms, participants and tracks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from livekit.protocol import models

    from devserver.rooms.participant import Participant
    from devserver.rooms.room import Room


class RoomListener:
    """Base class for listeners to a server's events; override the methods of interest.

    Every method is called on the server's event loop, in the order of the events, after the state
    has changed. A method must not block: work that takes time belongs into a task of its own.
    """

    def room_started(self, room: Room) -> None:
        """A room exists from now on; ``room.agents`` are the dispatches it was created with."""

    def room_finished(self, room: Room) -> None:
        """A room is gone, with everyone who was in it."""

    def participant_admitted(self, room: Room, participant: Participant) -> None:
        """A participant is in the room and about to get its JoinResponse: its state is JOINING."""

    def participant_joined(self, room: Room, participant: Participant) -> None:
        """A participant's media connection is up: its state is ACTIVE."""

    def participant_left(self, room: Room, participant: Participant) -> None:
        """A participant that had been ACTIVE is gone, for ``info.disconnect_reason``."""

    def participant_connection_aborted(self, room: Room, participant: Participant) -> None:
        """A participant is gone without ever having been ACTIVE."""

    def track_published(
        self, room: Room, participant: Participant, track: models.TrackInfo
    ) -> None:
        """A track's media section is negotiated: others see it in the participant's tracks."""

    def track_unpublished(
        self, room: Room, participant: Participant, track: models.TrackInfo
    ) -> None:
        """A track is gone."""
