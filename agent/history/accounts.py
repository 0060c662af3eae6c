"""Accounts as the database keeps them: usage by day, and events on their way to webhooks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class UsageKey:
    """The key of a usage record.

    Attributes:
        day: `2026-01-31`, in UTC.
        tenant: the room's tenant from its metadata; may be empty.
        identity: of the asker, or the speaker.
        model: the service's name for it.
    """

    day: str
    tenant: str
    room: str
    identity: str
    model: str


@dataclass(frozen=True, slots=True)
class UsageCounts:
    """Counts of usage; see agent.models.usage for the tokens.

    Attributes:
        heard_ms, spoken_ms: ms of sound that was recognised, and that was made.
    """

    answers: int = 0
    requests: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    tool_calls: int = 0
    heard_ms: int = 0
    spoken_ms: int = 0

    def __add__(self, other: UsageCounts) -> UsageCounts:
        return UsageCounts(
            self.answers + other.answers,
            self.requests + other.requests,
            self.input_tokens + other.input_tokens,
            self.cached_tokens + other.cached_tokens,
            self.output_tokens + other.output_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.tool_calls + other.tool_calls,
            self.heard_ms + other.heard_ms,
            self.spoken_ms + other.spoken_ms,
        )


@dataclass(frozen=True, slots=True)
class OutgoingEvent:
    """An event for one receiver.

    Attributes:
        id: the same for all receivers and attempts.
        url: of the receiver.
        created_at: ms since 1970.
        body: JSON.
    """

    id: str
    url: str
    created_at: int
    body: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ClaimedEvent:
    """An event that this process is to deliver now.

    Attributes:
        row: its key.
        attempts: how often it was claimed, this time included.
    """

    row: int
    event: OutgoingEvent
    attempts: int


class AccountStore(Protocol):
    """Keeps accounts. All methods raise HistoryError."""

    async def add_usage(self, entries: Sequence[tuple[UsageKey, UsageCounts]]) -> None:
        """Adds to the stored counts."""
        ...

    async def usage(
        self, *, since: str, until: str, after: UsageKey | None = None, limit: int = 500
    ) -> list[tuple[UsageKey, UsageCounts]]:
        """Usage of the days from `since` to `until`, both included, in the order of keys."""
        ...

    async def conversations(self, room: str, owner: str | None = None) -> list[str]:
        """The names of the room's conversations, of all its sessions, the oldest first.

        `owner`: those in which this participant wrote privately.
        """
        ...

    async def put_events(self, events: Sequence[OutgoingEvent]) -> None:
        """Keeps events until they are delivered; an event with a stored id is ignored."""
        ...

    async def claim_events(
        self, url: str, *, now: int, until: int, limit: int
    ) -> list[ClaimedEvent]:
        """The oldest events for a receiver that are due. Nobody else gets them before `until`."""
        ...

    async def remove_events(self, rows: Sequence[int]) -> None:
        """Forgets events that were delivered, or are given up."""
        ...

    async def postpone_events(self, rows: Sequence[int], due: int) -> None:
        """Postpones events until this time, ms since 1970."""
        ...

    async def trim_events(self, *, created_before: int, most: int) -> int:
        """Forgets what is older, and the oldest beyond so many; returns how many."""
        ...
