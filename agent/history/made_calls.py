"""MadeCalls: tool calls that were begun and must not be made twice."""

from __future__ import annotations

from typing import Protocol


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
