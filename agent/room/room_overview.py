"""RoomOverview: one room as `python -m agent top` shows it."""

from __future__ import annotations

from typing import TypedDict


class RoomOverview(TypedDict):
    """A room that is held or being joined.

    Attributes:
        name: of the room.
        people: participants besides the agent.
        waiting: questions without a whole answer, in all its conversations.
        state: `joining`, `listening`, `thinking` or `speaking`.
    """

    name: str
    people: int
    waiting: int
    state: str
