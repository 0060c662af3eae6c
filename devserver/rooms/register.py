"""The rooms that exist, and who listens to their events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from livekit.protocol import models

from devserver.limits import RoomLimitError
from devserver.rooms.room import Room

if TYPE_CHECKING:
    from livekit.protocol import room as room_proto

    from devserver.rooms.listeners import RoomListener
    from devserver.rooms.participant import Participant
    from devserver.rooms.room_context import RoomContext


class RoomRegister:
    """Creates, finds and deletes rooms, and passes their events on to every listener in order."""

    def __init__(self, context: RoomContext) -> None:
        self.context = context
        self.rooms: dict[str, Room] = {}
        """The rooms that exist, by name."""
        self.listeners: list[RoomListener] = []

    def get_or_create(self, request: room_proto.CreateRoomRequest) -> tuple[Room, bool]:
        """Return the room that ``request`` names, and whether it had to be made.

        An existing room does not change, whatever the request says, as in livekit-server. Raises
        RoomLimitError.
        """
        room = self.rooms.get(request.name)
        if room is not None:
            return room, False
        if len(self.rooms) >= self.context.limits.rooms:
            raise RoomLimitError("as many rooms as there may be")
        room = self.rooms[request.name] = Room(self.context, request, self)
        for listener in self.listeners:
            listener.room_started(room)
        return room, True

    def delete(self, name: str) -> bool:
        """Disconnect everyone in the room and end it; False if there is no such room."""
        room = self.rooms.get(name)
        if room is None:
            return False
        room.close(models.DisconnectReason.ROOM_DELETED)
        return True

    # --- events, as its rooms report them

    def room_finished(self, room: Room) -> None:
        if self.rooms.get(room.name) is room:
            del self.rooms[room.name]
            for listener in self.listeners:
                listener.room_finished(room)

    def participant_admitted(self, room: Room, participant: Participant) -> None:
        for listener in self.listeners:
            listener.participant_admitted(room, participant)

    def participant_joined(self, room: Room, participant: Participant) -> None:
        for listener in self.listeners:
            listener.participant_joined(room, participant)

    def participant_left(self, room: Room, participant: Participant) -> None:
        for listener in self.listeners:
            listener.participant_left(room, participant)

    def participant_connection_aborted(self, room: Room, participant: Participant) -> None:
        for listener in self.listeners:
            listener.participant_connection_aborted(room, participant)

    def track_published(
        self, room: Room, participant: Participant, track: models.TrackInfo
    ) -> None:
        for listener in self.listeners:
            listener.track_published(room, participant, track)

    def track_unpublished(
        self, room: Room, participant: Participant, track: models.TrackInfo
    ) -> None:
        for listener in self.listeners:
            listener.track_unpublished(room, participant, track)
