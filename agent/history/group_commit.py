"""GroupCommit: concurrent writes of many rooms share a transaction."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy.exc import DataError, IntegrityError

from agent.history.errors import HistoryError, RejectedError, UnavailableError
from agent.tasks import Tasks
from agent.telemetry import spans
from agent.telemetry.metrics import HISTORY_SECONDS

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from agent.history.database import Database, Work

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

MAX_BATCH: Final = 256
"""Writes in a transaction."""

MAX_WAITING: Final = 10_000
"""Writes that wait for their transaction; beyond that they fail at once."""

CLOSE_TIMEOUT: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Write:
    work: Work[Any]
    outcome: asyncio.Future[Any]


class GroupCommit:
    """Runs writes in the order they come, one transaction at a time, with all waiting writes in it.

    A transaction costs more than a write in it. A lone write has one to itself at once; what comes
    meanwhile shares the next one. On SQLite this also keeps the rooms of a process from competing
    for its only lock.

    Writes take effect in the order they come: where the database is unavailable for one, those that
    wait behind it fail as well.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[_Write] = deque()
        self._tasks = Tasks()
        self._task: asyncio.Task[None] | None = None

    async def run(self, work: Work[Result]) -> Result:
        """Does one write; returns its result once it is committed.

        A HistoryError that `work` raises is its outcome and undoes nothing; it must be raised
        before anything is written. The write of a caller that is cancelled before the transaction
        begins is skipped.
        """
        if len(self._waiting) >= MAX_WAITING:
            raise UnavailableError(f"{len(self._waiting)} writes wait for the database")
        outcome: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Write(work, outcome))
        if self._task is None or self._task.done():
            self._task = self._tasks.keep(self._commit_all, name="history writes")
        return await outcome

    async def aclose(self) -> None:
        """Finishes queued writes, for CLOSE_TIMEOUT seconds; the rest fails."""
        if self._task is not None:
            await asyncio.wait((self._task,), timeout=CLOSE_TIMEOUT)
        await self._tasks.aclose()
        while self._waiting:
            _settle(self._waiting.popleft().outcome, UnavailableError("the history is closed"))

    async def _commit_all(self) -> None:
        while self._waiting:
            taken = [self._waiting.popleft() for _ in range(min(MAX_BATCH, len(self._waiting)))]
            batch = [write for write in taken if not write.outcome.done()]
            if batch:
                await self._commit(batch)

    async def _commit(self, batch: list[_Write]) -> None:
        try:
            outcomes = await self._transact(batch)
        except (DataError, IntegrityError) as error:
            await self._commit_each(batch, error)
            return
        except asyncio.CancelledError:
            for write in batch:
                _settle(write.outcome, UnavailableError("the history is closed"))
            raise
        except UnavailableError as error:
            self._give_up(batch, error)
            return
        except Exception as error:
            # The boundary of a transaction: its writers get the error, the next ones go on.
            if not isinstance(error, HistoryError):
                logger.exception("history write failed unexpectedly")
            outcomes = [error] * len(batch)
        for write, outcome in zip(batch, outcomes, strict=True):
            _settle(write.outcome, outcome)

    async def _commit_each(self, batch: list[_Write], error: DataError | IntegrityError) -> None:
        """Retried one by one: the database refused at least one of them, perhaps temporarily."""
        for index, write in enumerate(batch):
            try:
                (outcome,) = await self._transact([write])
            except (DataError, IntegrityError):
                outcome = RejectedError(f"refused by the database: {type(error.orig).__name__}")
            except UnavailableError as failure:
                self._give_up(batch[index:], failure)
                return
            except asyncio.CancelledError:
                self._give_up(batch[index:], UnavailableError("the history is closed"))
                raise
            except HistoryError as failure:
                outcome = failure
            except Exception as failure:
                # The boundary of a transaction, as above.
                logger.exception("history write failed unexpectedly")
                outcome = failure
            _settle(write.outcome, outcome)

    def _give_up(self, batch: list[_Write], error: UnavailableError) -> None:
        """An answer must not be stored where its question, which came before, was not."""
        for write in (*batch, *self._waiting):
            _settle(write.outcome, error)
        self._waiting.clear()

    async def _transact(self, batch: list[_Write]) -> list[object]:
        """Returns the result of each write, or the HistoryError that it raises."""
        works = [write.work for write in batch]
        began = time.monotonic()
        span = spans.begin(
            "history write",
            db__system__name=self._database.url.system,
            db__operation__batch__size=len(batch),
        )
        try:
            return await self._database.write(partial(_do_all, works=works))
        finally:
            HISTORY_SECONDS.observe(time.monotonic() - began)
            span.end()


def _do_all(connection: Connection, works: list[Work[Any]]) -> list[object]:
    outcomes: list[object] = []
    for work in works:
        try:
            outcomes.append(work(connection))
        except HistoryError as error:
            outcomes.append(error)
    return outcomes


def _settle(future: asyncio.Future[Any], outcome: object) -> None:
    if future.done():
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
