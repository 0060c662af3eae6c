"""RoomLeases: this process's leases on its rooms, and its heartbeat in the database.

Docs: docs/adr/0056-takeover.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final

from agent.chat.tenure import Tenure
from agent.history.errors import HistoryError
from agent.history.leases import LeaseHolder
from agent.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from agent.history.leases import Leases, LeaseState
    from agent.host.claims import Claims

logger = logging.getLogger(__name__)

EVERY: Final = 2.0
"""Seconds between two beats."""

LASTS: Final = 6.0
"""Seconds after a beat from which on the process counts as dead. Its agents are called before they
are replaced, so a slow database costs nobody a room."""

TAKES: Final = 0.3
"""Seconds that a job waits for its lease, and between two attempts."""

CONFIRMS: Final = 1.0
"""Seconds that the start or the storing of an answer waits for the check whether the process still
has its rooms."""

ATTEMPTS: Final = 3
"""Attempts to take a lease that another process is about to release."""

GIVEN_UP_AFTER: Final = 2
"""Failed beats in a row after which the database counts as unavailable: nobody waits for it."""

_OWED: Final = 1_000
_PAID: Final = 50
"""Leases that are remembered for a later release, and those that one beat releases."""

_PRUNE_EVERY: Final = 3_600.0
_KEPT_DAYS: Final = 30.0


class RoomLeases:
    """All methods are for the rooms' loop.

    While the database is unavailable, nothing is refused, and nobody loses a room.
    """

    def __init__(
        self, store: Leases, claims: Claims, *, identity: str, scope: str, free: Callable[[], int]
    ) -> None:
        """
        Args:
            claims: of its own, by which the processes of a machine see each other live.
            scope: of the workers that can stand in for each other.
            free: says how many rooms the process can take.
        """
        self.store = store
        self.claims = claims
        self.identity = identity
        self.scope = scope
        self.free = free
        self._jobs: dict[str, str] = {}
        """Sids of rooms by job."""
        self._tenures: dict[str, tuple[Tenure, Callable[[], None]]] = {}
        """By job."""
        self._unconfirmed: dict[str, float | None] = {}
        """Sids that were taken while the database was unavailable; since when it refuses them, if
        it does."""
        self._owed: dict[str, bool] = {}
        """Sids that could not be released; whether the room needs no agent."""
        self._last: set[str] = set()
        """Sids of rooms that need no agent after this process's stay."""
        self._valid_until = float("-inf")
        self._failures = 0
        """Failed beats in a row."""
        self._asking: asyncio.Task[bool] | None = None
        self._lock = asyncio.Lock()
        self._pruned_at = float("-inf")
        self._tasks = Tasks()

    @cached_property
    def id(self) -> str:
        """The id of the process. Created on first use, since workers are forked from a process that
        has imported this."""
        return uuid.uuid4().hex

    def start(self) -> None:
        """Starts the heartbeat."""
        self._tasks.keep(self._beat_always, name="leases")

    async def aclose(self) -> None:
        """Stops the heartbeat; the rooms have been left."""
        await self._tasks.aclose()
        try:
            async with asyncio.timeout(LASTS):
                await self.store.bury([self.id])
        except (HistoryError, TimeoutError) as error:
            logger.info("end of the worker process not stored: %s", error or "timed out")
        self.claims.close()

    async def take(self, job: str, sid: str, *, by_force: bool = False) -> bool:
        """Takes the lease of a job's room; False if another process has it. Safe to repeat."""
        if job in self._jobs:
            return True
        taken = sid in self._jobs.values()
        for _ in range(0 if taken else ATTEMPTS):
            taken = await self._take(sid, by_force=by_force)
            if taken:
                break
            # Its process may be one of this machine's that has just died.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CONFIRMS):
                    await asyncio.shield(self._shared_beat())
            await asyncio.sleep(TAKES)
        if taken:
            self._jobs[job] = sid
            self._owed.pop(sid, None)
            self.claims.take(_room(sid))
        return taken

    def tenure(self, job: str, on_lost: Callable[[], None]) -> Tenure:
        """The tenure of a job whose lease was taken; `on_lost` is called when it is lost."""
        new = Tenure(self._confirm, partial(self._give_back_later, job))
        tenure, _ = self._tenures.get(job, (new, None))
        self._tenures[job] = tenure, on_lost
        return tenure

    async def give_back(self, job: str, *, left: bool) -> None:
        """Releases the lease of a job; `left`: its room needs no agent any more."""
        sid = self._jobs.pop(job, None)
        self._tenures.pop(job, None)
        if sid is not None:
            await self._release(sid, left=left)

    def sid(self, job: str) -> str | None:
        """The room whose lease a job has."""
        return self._jobs.get(job)

    async def move(self, job: str, sid: str) -> bool:
        """Takes the lease of the room that a job's agent is in now, in place of the former room's;
        False if another job has it, or this one has ended."""
        former = self._jobs.get(job)
        if former is None or sid in self._jobs.values():
            return False
        if not await self._take(sid, by_force=False):
            return False
        if self._jobs.get(job) != former:
            await self._release(sid, left=False)
            return False
        self._jobs[job] = sid
        self._owed.pop(sid, None)
        self.claims.take(_room(sid))
        if former in self._last:
            self._last.add(sid)
        tenure, _ = self._tenures.get(job, (None, None))
        if tenure is not None:
            # Before others see the former room free: they would take its calls over.
            await tenure.on_moved(sid)
        await self._release(former, left=False)
        return True

    async def _release(self, sid: str, *, left: bool) -> None:
        if sid in self._jobs.values():
            return
        self._unconfirmed.pop(sid, None)
        self._last.discard(sid)
        self.claims.release(_room(sid))
        try:
            await self.store.give_back(self.identity, sid, self.id, left=left)
        except HistoryError as error:
            # It does not expire while the process lives.
            self._owe(sid, left=left)
            logger.info("lease on a room not released, will retry: %s", error)
        self._keep_if_taken_again(sid)

    async def want(self, sid: str) -> None:
        """Stores that a room needs an agent again."""
        try:
            await self.store.want(self.identity, sid)
        except HistoryError as error:
            logger.info("request for a new agent in a room not stored: %s", error)

    async def states(self, sids: Iterable[str]) -> Mapping[str, LeaseState] | None:
        """The state of the rooms' leases; None: the database does not answer."""
        try:
            return await self.store.states(self.identity, tuple(sids))
        except HistoryError:
            return None

    def is_held_here(self, sid: str) -> bool:
        """Whether a process of this machine, this one or another, is in a room."""
        return sid in self._jobs.values() or self.claims.is_taken(_room(sid))

    async def beat(self) -> bool:
        """Extends the process's life in the database, and learns which rooms it has lost; whether
        that worked.

        One beat at a time.
        """
        async with self._lock:
            began = time.monotonic()
            self.claims.take(_mark(self.id))
            mine = {sid for sid in self._jobs.values() if sid not in self._unconfirmed}
            place = self.claims.place()
            holder = LeaseHolder(self.id, self.scope, place, self.free())
            try:
                beat = await self.store.beat(holder, LASTS)
                await self._pay()
                await self._retake()
                await self._note_last()
                await self._lose(mine - beat.held)
                await self._bury(beat.neighbours, place)
            except HistoryError as error:
                if not self._failures:
                    # Before the first one, the database may be waiting for its tables; the history
                    # says where it is away.
                    level = logging.WARNING if self._valid_until > 0 else logging.INFO
                    logger.log(level, "leases on rooms not renewed; rooms continue: %s", error)
                self._failures += 1
                return False
            self._failures = 0
            self._valid_until = began + LASTS
            return True

    async def _beat_always(self) -> None:
        while True:
            if await self.beat():
                await self._prune()
            await asyncio.sleep(EVERY)

    async def _confirm(self) -> None:
        """Asks the database if this process was suspended for so long that others may have taken
        its rooms over. Concurrent callers wait for the same answer, and not for long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CONFIRMS):
                while time.monotonic() >= self._valid_until and self._failures < GIVEN_UP_AFTER:
                    await asyncio.shield(self._shared_beat())

    def _shared_beat(self) -> asyncio.Task[bool]:
        if self._asking is None or self._asking.done():
            self._asking = self._tasks.start(self.beat(), name="ask for the leases")
        return self._asking

    async def _take(self, sid: str, *, by_force: bool) -> bool:
        try:
            async with asyncio.timeout(TAKES):
                await self._confirm()
                return await self.store.take(self.identity, sid, self.id, by_force=by_force)
        except (HistoryError, TimeoutError):
            self._unconfirmed[sid] = None
            return True

    async def _retake(self) -> None:
        """Stores the leases that were taken without the database, now that it is back.

        A process that died meanwhile keeps its lease until that expires.
        """
        for sid, since in tuple(self._unconfirmed.items()):
            if await self.store.take(self.identity, sid, self.id):
                self._unconfirmed.pop(sid, None)
            elif sid not in self._unconfirmed:
                continue
            elif since is None:
                self._unconfirmed[sid] = time.monotonic()
            elif time.monotonic() - since >= LASTS:
                del self._unconfirmed[sid]
                self._end(sid)

    async def _give_back_later(self, job: str) -> None:
        """Stores that a job's room needs no agent once this process has left it, for whatever
        reason. Waits for the database only briefly: each beat stores it again."""
        sid = self._jobs.get(job)
        if sid is not None:
            self._last.add(sid)
            with contextlib.suppress(HistoryError, TimeoutError):
                async with asyncio.timeout(CONFIRMS):
                    await self._note_last()

    async def _note_last(self) -> None:
        for sid in tuple(self._last):
            await self.store.give_back_later(self.identity, sid, self.id)

    def _owe(self, sid: str, *, left: bool) -> None:
        if len(self._owed) >= _OWED:
            del self._owed[next(iter(self._owed))]
        self._owed[sid] = left

    async def _pay(self) -> None:
        """Releases leases that could not be released before, some at a time."""
        for sid, left in tuple(self._owed.items())[:_PAID]:
            if sid in self._owed:
                await self.store.give_back(self.identity, sid, self.id, left=left)
                self._owed.pop(sid, None)
                self._keep_if_taken_again(sid)

    def _keep_if_taken_again(self, sid: str) -> None:
        """A lease that was taken while it was given back: the next beat takes it once more."""
        if sid in self._jobs.values():
            self._owed.pop(sid, None)
            self._unconfirmed.setdefault(sid, None)

    async def _lose(self, missing: set[str]) -> None:
        missing &= set(self._jobs.values())
        if not missing:
            return
        states = await self.store.states(self.identity, tuple(missing))
        for sid in missing:
            # The database is another one, or was restored: nobody has taken the room.
            if sid not in states and await self.store.take(self.identity, sid, self.id):
                continue
            self._end(sid)

    def _end(self, sid: str) -> None:
        for job in [job for job, held in self._jobs.items() if held == sid]:
            tenure, on_lost = self._tenures.setdefault(job, (Tenure(), _not_joined_yet))
            if not tenure.is_over:
                tenure.is_over = True
                on_lost()

    async def _bury(self, neighbours: Iterable[str], place: str) -> None:
        """Stores which processes of this machine have ended; other machines would only notice
        later."""
        dead = [each for each in neighbours if not self.claims.is_taken(_mark(each))]
        # If claims can no longer be read, every living process looks dead.
        if dead and self.claims.place() == place:
            logger.warning("%d worker processes of this machine have ended", len(dead))
            await self.store.bury(dead)

    async def _prune(self) -> None:
        now = time.monotonic()
        if now - self._pruned_at > _PRUNE_EVERY:
            self._pruned_at = now
            try:
                await self.store.prune(_KEPT_DAYS)
            except HistoryError as error:
                logger.info("old leases not removed: %s", error)


def _mark(holder: str) -> str:
    return f"worker {holder}"


def _room(sid: str) -> str:
    return f"room {sid}"


def _not_joined_yet() -> None: ...
