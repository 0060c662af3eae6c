"""MadeCalls: tool calls that were begun: some must not be made twice, others are made again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from agent.history.message import ThreadKey

MAX_KEPT: Final = 32
"""Calls of one conversation that are made again."""


@dataclass(frozen=True, slots=True)
class KeptCall:
    """A call that goes on in the background, and is made again after a restart.

    Attributes:
        key: its idempotency key.
        identity, name: for whom it is made.
        message_id: the message that it was begun for.
        arguments: as JSON.
        call_id: as clients know it.
        attempt: how often it was made before.
        begun_at: by the worker's clock, ms since 1970.
        held_in: sid of the room whose agent makes it, or made it last; empty: unknown.
    """

    key: str
    thread: ThreadKey
    identity: str
    name: str
    message_id: str
    tool: str
    arguments: str
    call_id: str
    attempt: int
    begun_at: int
    held_in: str = ""


class MadeCalls(Protocol):
    """Any method may raise HistoryError: the database cannot be used now."""

    async def begin(self, key: str) -> bool:
        """Notes that a call begins; False if one with its key has begun before.

        Only the key is stored, for 30 days.
        """
        ...

    async def was_begun(self, key: str) -> bool:
        """Whether a call with a key has begun."""
        ...

    async def keep(self, call: KeptCall) -> None:
        """Keeps a call to be made again, in place of the one with its key. It is forgotten after 30
        days."""
        ...

    async def kept(self, conversation: str) -> tuple[KeptCall, ...]:
        """The calls of a conversation that are kept, oldest first, at most MAX_KEPT."""
        ...

    async def claim(self, call: KeptCall, sid: str) -> bool:
        """Takes a call over, to make it again in a room; False: nobody may, or somebody else has
        taken it over since it was read. Its `attempt` counts up.

        If a living agent is in the call's room, only that agent may take the call, if it holds the
        room's lease.
        """
        ...

    async def move(self, conversation: str, former: str, sid: str) -> None:
        """Notes that the agent of a room is in another one now, with its calls."""
        ...

    async def drop(self, key: str) -> None:
        """Keeps a call no longer."""
        ...

    async def drop_free(self, key: str, sid: str) -> None:
        """Keeps a call no longer, if the agent of a room may take it over; see `claim`."""
        ...

    async def drop_held(self, conversation: str, sid: str) -> None:
        """Keeps the calls of a conversation no longer that are held by this room, or by an unknown
        one."""
        ...
