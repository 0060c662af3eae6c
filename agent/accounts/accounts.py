"""Accounts: collects usage and events of all rooms of a process, and stores them.

Rooms only add to memory here. Usage is written together, every few seconds; events as soon as they
are there, since they must outlive the process. An idle process writes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from agent.accounts.event import body_of, new_event_id, now
from agent.config.webhook_settings import EventType
from agent.history.accounts import OutgoingEvent, UsageCounts, UsageKey
from agent.history.errors import HistoryError
from agent.tasks import Tasks
from agent.telemetry.metrics import WEBHOOKS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from agent.history.accounts import AccountStore

logger = logging.getLogger(__name__)

EVERY: Final = 5.0
"""Seconds for which usage is collected before it is written."""

MAX_KEYS: Final = 10_000
"""Usage rows that wait for the database; beyond that, usage is counted without identity and
room."""

MAX_EVENTS: Final = 10_000
"""Events that wait for the database; beyond that the oldest are lost."""

BATCH: Final = 100
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
"""Seconds between two attempts to reach the database; the pause doubles."""

CLOSE_TIMEOUT: Final = 5.0


class Accounts:
    """Counts, and keeps events for `urls`. Used from the rooms' loop."""

    def __init__(
        self,
        store: AccountStore,
        *,
        urls: Sequence[str] = (),
        types: Collection[str] = (),
        on_stored: Callable[[], None] | None = None,
    ) -> None:
        """
        Args:
            urls: of the receivers; none: there are no events.
            types: of the events that they get.
            on_stored: called whenever events were stored.
        """
        self._store = store
        self._urls = tuple(urls)
        self._types = frozenset(types)
        self._on_stored = on_stored
        self._usage: dict[UsageKey, UsageCounts] = {}
        self._events: deque[OutgoingEvent] = deque()
        self._in_haste = asyncio.Event()
        self._tasks = Tasks()
        self._writing: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._is_losing = False

    def wants(self, kind: EventType) -> bool:
        """Whether any webhook receives such events."""
        return bool(self._urls) and kind in self._types

    def count(
        self, *, tenant: str, room: str, identity: str, model: str, counts: UsageCounts
    ) -> None:
        """Counts usage of today."""
        day = datetime.now(UTC).date().isoformat()
        key = UsageKey(day, tenant, room, identity, model)
        if key not in self._usage and len(self._usage) >= MAX_KEYS:
            key = UsageKey(day, tenant, "", "", model)
        self._usage[key] = self._usage.get(key, UsageCounts()) + counts
        self._begin()

    def tell(self, kind: EventType, data: dict[str, Any]) -> None:
        """Queues an event for all webhooks that receive its type."""
        if not self.wants(kind):
            return
        event_id, created_at = new_event_id(), now()
        body = body_of(event_id, kind, created_at, data)
        for url in self._urls:
            if len(self._events) >= MAX_EVENTS:
                self._lose_oldest()
            self._events.append(OutgoingEvent(event_id, url, created_at, body))
        self._in_haste.set()
        self._begin()

    async def aclose(self) -> None:
        """Writes the rest, for at most CLOSE_TIMEOUT seconds."""
        self._closing.set()
        self._in_haste.set()
        if self._writing is not None:
            await asyncio.wait((self._writing,), timeout=CLOSE_TIMEOUT)
        await self._tasks.aclose()
        if self._usage or self._events:
            WEBHOOKS.add("lost", by=len(self._events))
            logger.error(
                "database unavailable at shutdown; usage of %d keys and %d events are lost",
                len(self._usage),
                len(self._events),
            )

    def _lose_oldest(self) -> None:
        self._events.popleft()
        WEBHOOKS.add("lost")
        if not self._is_losing:
            logger.error("database unavailable for too long; dropping the oldest events")
        self._is_losing = True

    def _begin(self) -> None:
        if self._writing is None or self._writing.done():
            self._writing = self._tasks.keep(self._write_all, name="accounts")

    async def _write_all(self) -> None:
        """Writes until nothing is left."""
        pause = FIRST_PAUSE
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(EVERY):
                await self._in_haste.wait()
        while self._usage or self._events:
            try:
                await self._write_some()
            except HistoryError as error:
                if pause == FIRST_PAUSE:
                    logger.warning("accounts not stored, retrying: %s", error)
                    await asyncio.sleep(pause)
                elif self._closing.is_set():
                    return
                else:
                    await self._pause(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                pause, self._is_losing = FIRST_PAUSE, False
        self._in_haste.clear()

    async def _pause(self, seconds: float) -> None:
        """Cut short by the end of the process: the database may be back."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()

    async def _write_some(self) -> None:
        usage, self._usage = self._usage, {}
        if usage:
            try:
                await self._store.add_usage(sorted(usage.items(), key=lambda each: str(each[0])))
            except BaseException:
                for key, counts in usage.items():
                    self._usage[key] = self._usage.get(key, UsageCounts()) + counts
                raise
        events = [self._events[place] for place in range(min(BATCH, len(self._events)))]
        if events:
            await self._store.put_events(events)
            for event in events:
                # Others may have been dropped from its front meanwhile.
                if self._events and self._events[0] is event:
                    self._events.popleft()
            if self._on_stored is not None:
                self._on_stored()
