"""Tenure: whether this agent still answers in its room, or another process has taken over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable


class Tenure:
    """Attributes:
    is_over: another process answers in the room, or will. Nothing that is unfinished here may be
        answered or stored any more.
    is_cut: the connection to the room is lost for good. An answer that it interrupts is left to
        the next agent in the room.
    is_reconnecting: the SDK restores the connection to the room, or gives it up.
    on_moved: called with the sid of the room that the agent is in now, when the server has created
        the room again. The former room still belongs to this agent until it returns.
    """

    def __init__(
        self,
        confirm: Callable[[], Awaitable[None]] | None = None,
        note_last: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """
        Args:
            confirm: updates `is_over`, if a check is due; None: it never changes.
            note_last: stores that the room needs no agent after this one.
        """
        self._confirm = confirm
        self._note_last = note_last
        self.is_over = False
        self.is_cut = False
        self.is_reconnecting = False
        self.on_moved: Callable[[str], Awaitable[None]] = _note_nothing

    async def holds(self) -> bool:
        """Whether the agent may continue, even if its process was suspended for a while."""
        if self._confirm is not None and not self.is_over:
            await self._confirm()
        return not self.is_over

    async def be_last(self) -> None:
        """Notes that the room wants no agent after this tenure, also if its process dies."""
        if self._note_last is not None:
            await self._note_last()


async def _note_nothing(_: str) -> None: ...
