"""RoomAssignment: the room to join, and how."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RoomAssignment:
    """The room to join, and how: what a job says.

    Attributes:
        url: of the server, ws:// or wss://.
        token: to join with; never logged.
        metadata: of the dispatch, then of the room.
    """

    room: str
    url: str
    token: str
    dispatch_metadata: str = ""
    room_metadata: str = ""

    def __repr__(self) -> str:
        return f"RoomAssignment(room={self.room!r}, url={self.url!r})"
