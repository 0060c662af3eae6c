"""Names of conversations: the history's `room` column.

`room-name`: the room's name, as it always was. `room-session`: `room-session:<name>:<sid>`, so that
the data of a room can be found by its name. `metadata`: `metadata:<id>`. A room whose own name has
one of these prefixes is stored under `room-name:<name>`: choosing a room's name gives access to no
conversation. Docs: docs/adr/0047-conversations-end-with-their-room.md.
"""

from __future__ import annotations

from typing import Final

SESSION: Final = "room-session:"
GIVEN: Final = "metadata:"
NAMED: Final = "room-name:"


def of_room_name(room: str) -> str:
    """The conversation of all rooms of a name."""
    return f"{NAMED}{room}" if room.startswith((SESSION, GIVEN, NAMED)) else room


def of_session(room: str, sid: str) -> str:
    """The conversation of one session of a room: its sid is the server's, unlike all others."""
    return f"{SESSION}{room}:{sid}"


def of_id(conversation: str) -> str:
    """The conversation that an app's backend named."""
    return f"{GIVEN}{conversation}"


def is_session(name: str) -> bool:
    """Whether a conversation ends with the session of its room."""
    return name.startswith(SESSION)


def room_of(name: str) -> str | None:
    """The name of the room that a conversation belongs to; None: an id names it, not a room."""
    if name.startswith(SESSION):
        return name.removeprefix(SESSION).rpartition(":")[0]
    if name.startswith(GIVEN):
        return None
    return name.removeprefix(NAMED)
