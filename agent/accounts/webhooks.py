"""Webhooks: delivers the events that are stored, at least once each.

An event leaves the database only when its receiver has answered 2xx, or after three days. Several
processes share the work: a process that claims an event has a minute to deliver it. If a receiver
is down, its oldest event is retried; once that succeeds, the rest follows. Docs: docs/webhooks.md,
docs/adr/0053-events-in-an-outbox.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from typing import TYPE_CHECKING, Final

import aiohttp

from agent.accounts.event import now
from agent.accounts.signature import headers
from agent.history.errors import HistoryError
from agent.tasks import Tasks
from agent.telemetry.metrics import WEBHOOKS, WEBHOOKS_FAILING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agent.history.accounts import AccountStore, ClaimedEvent

logger = logging.getLogger(__name__)

LEASE: Final = 60_000
"""Ms for which a claimed event is nobody else's."""

BATCH: Final = 20
DELIVERY_TAKES: Final = 15.0
LOOKING_EVERY: Final = 15.0
"""Seconds between two checks for events that other processes left behind."""

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 300.0
"""Seconds between two attempts at a receiver that fails; the pause doubles."""

KEPT: Final = 3 * 86_400_000
"""Ms for which delivery is attempted."""

MOST: Final = 200_000
"""Events that are kept; beyond that the oldest are given up."""

TRIMMING_EVERY: Final = 600.0

CLOSING_TAKES: Final = 5.0

_LATER: Final = frozenset({408, 409, 425, 429})
"""Statuses below 500 that ask for a retry."""


class Webhooks:
    """Sends events to their receivers. Used from the rooms' loop.

    Args:
        key: see agent.accounts.signature.
        proxy_for: the proxy for a URL, if there is one.
        first_pause: seconds; see FIRST_PAUSE.
    """

    def __init__(
        self,
        store: AccountStore,
        urls: Sequence[str],
        *,
        key: bytes,
        proxy_for: Callable[[str], str | None],
        first_pause: float = FIRST_PAUSE,
    ) -> None:
        self._store = store
        self._key = key
        self._proxy_for = proxy_for
        self._first_pause = first_pause
        self._something = {url: asyncio.Event() for url in urls}
        self._failing: set[str] = set()
        self._session: aiohttp.ClientSession | None = None
        self._tasks = Tasks()
        self._trimmed_at = 0.0
        self._closing = asyncio.Event()

    def start(self) -> None:
        """Begins to deliver, first what other processes left."""
        self.wake()
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=DELIVERY_TAKES), cookie_jar=aiohttp.DummyCookieJar()
        )
        for number, url in enumerate(self._something):
            self._tasks.keep(lambda url=url: self._deliver_all(url), name=f"webhook {number}")

    def wake(self) -> None:
        """Wakes the delivery: there are new events."""
        for each in self._something.values():
            each.set()

    async def aclose(self) -> None:
        """Stops; the next process delivers the rest.

        A delivery in progress may finish, so that it is not repeated.
        """
        self._closing.set()
        self.wake()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_TAKES):
                await self._tasks.ended()
        await self._tasks.aclose()
        if self._session is not None:
            await self._session.close()

    async def _deliver_all(self, url: str) -> None:
        """Delivers to one receiver for as long as the process lives."""
        something, pause = self._something[url], 0.0
        while not self._closing.is_set():
            await self._wait(something, pause or LOOKING_EVERY, is_asleep=not pause)
            try:
                delivered = await self._deliver_due(url, only_one=pause > 0)
                self._note(url, works=delivered)
                await self._trim()
            except HistoryError:
                # The history says so in the log.
                delivered = False
            if delivered:
                pause = 0.0
                continue
            if not pause:
                logger.warning("webhook delivery failed, will retry; its events are kept")
            pause = min(max(self._first_pause, pause * 2), LONGEST_PAUSE)

    def _note(self, url: str, *, works: bool) -> None:
        (self._failing.discard if works else self._failing.add)(url)
        WEBHOOKS_FAILING.set(len(self._failing))

    async def _wait(self, something: asyncio.Event, seconds: float, *, is_asleep: bool) -> None:
        if not is_asleep:
            # Not all processes at the same moment.
            something, seconds = self._closing, seconds * random.uniform(0.75, 1.0)  # noqa: S311 - no secret
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await something.wait()
        if is_asleep:
            something.clear()

    async def _deliver_due(self, url: str, *, only_one: bool) -> bool:
        """Delivers all events that are due; returns False as soon as the receiver fails."""
        while not self._closing.is_set():
            moment = now()
            claimed = await self._store.claim_events(
                url, now=moment, until=moment + LEASE, limit=1 if only_one else BATCH
            )
            if not claimed:
                return True
            done, refused, failed = await self._send_all(url, claimed)
            if done:
                await self._store.remove_events(done)
            for each in refused:
                await self._store.postpone_events([each.row], now() + _pause_after(each.attempts))
            if failed:
                await self._store.postpone_events([each.row for each in failed], now())
                return False
            only_one = False
        return True

    async def _send_all(
        self, url: str, claimed: Sequence[ClaimedEvent]
    ) -> tuple[list[int], list[ClaimedEvent], list[ClaimedEvent]]:
        """Three lists: delivered, refused, and not delivered (an event that failed and all after
        it)."""
        done: list[int] = []
        refused: list[ClaimedEvent] = []
        for place, each in enumerate(claimed):
            status = await self._send(url, each)
            if status is None or status >= 500 or status in _LATER:
                WEBHOOKS.add("failed")
                return done, refused, list(claimed[place:])
            if status < 300:
                WEBHOOKS.add("delivered")
                done.append(each.row)
                continue
            WEBHOOKS.add("refused")
            if each.attempts == 1:
                logger.warning("webhook receiver refused an event with status %d", status)
            refused.append(each)
        return done, refused, []

    async def _send(self, url: str, claimed: ClaimedEvent) -> int | None:
        """The status of the answer; None: there is none."""
        if self._session is None:
            raise RuntimeError("not started")
        body = claimed.event.body.encode()
        signed = headers(self._key, claimed.event.id, int(time.time()), body)
        try:
            async with self._session.post(
                url,
                data=body,
                headers={**signed, "content-type": "application/json"},
                proxy=self._proxy_for(url),
                allow_redirects=False,
            ) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None

    async def _trim(self) -> None:
        if time.monotonic() - self._trimmed_at < TRIMMING_EVERY and self._trimmed_at:
            return
        self._trimmed_at = time.monotonic()
        lost = await self._store.trim_events(created_before=now() - KEPT, most=MOST)
        if lost > 0:
            WEBHOOKS.add("lost", by=lost)
            logger.error("webhook events not delivered in time, dropping %d", lost)


def _pause_after(attempts: int) -> int:
    """Ms until an event that was refused is sent again."""
    return int(1000 * min(30 * 2.0 ** min(attempts - 1, 16), 3600))
