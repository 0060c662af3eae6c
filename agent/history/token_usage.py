"""TokenUsage: the tokens of each day that models read and wrote, counted for all processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Account:
    """The key of a token count: a tenant (`tenant` alone), a room (`room` alone), or a
    participant of a room (`room` and `identity`)."""

    tenant: str = ""
    room: str = ""
    identity: str = ""


@dataclass(frozen=True, slots=True)
class TokenCount:
    """Tokens that a model read, and that it wrote."""

    tokens_in: int = 0
    tokens_out: int = 0

    def __add__(self, other: TokenCount) -> TokenCount:
        return TokenCount(self.tokens_in + other.tokens_in, self.tokens_out + other.tokens_out)


class TokenUsage(Protocol):
    """Counts tokens by account and day. Any method may raise HistoryError: the database cannot be
    used now.

    A `day` is a date as ISO 8601 has it (`2026-01-31`).
    """

    async def read(self, day: str, accounts: Sequence[Account]) -> dict[Account, TokenCount]:
        """Tokens that these accounts used on a day, without those that used none."""
        ...

    async def add(self, day: str, used: Mapping[Account, TokenCount]) -> dict[Account, TokenCount]:
        """Adds used tokens; returns what these accounts have used on that day in all.

        A repetition counts again: if the outcome of a write is unknown, counting too much is better
        than too little.
        """
        ...

    async def forget(self, before: str) -> int:
        """Deletes the counts of all days before this one; returns how many."""
        ...
