"""DurableHistory: buffers writes while the database is unavailable, so that rooms continue."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Final, TypeVar, cast

from agent.history.accounts import AccountStore
from agent.history.answer_ends import AnswerEnds
from agent.history.backlog import Backlog, Write
from agent.history.boards import Boards
from agent.history.erasure import Erased, Subject
from agent.history.errors import HistoryError, UnavailableError
from agent.history.history import History
from agent.history.leases import Leases
from agent.history.made_calls import MadeCalls
from agent.history.message import (
    Added,
    Answered,
    Attachment,
    Feedback,
    Message,
    MessageKey,
    Page,
    Summary,
    Thread,
    ThreadKey,
    Unanswered,
)
from agent.history.states import States
from agent.history.token_usage import TokenUsage
from agent.tasks import Tasks
from agent.telemetry.metrics import HISTORY_LOST

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

PATIENCE: Final = 1.0
"""Seconds that a message waits to be stored before it is answered anyway."""

BATCH: Final = 64
"""Writes that are handed to the store at a time."""

FIRST_PAUSE: Final = 0.25
LONGEST_PAUSE: Final = 30.0
"""Seconds between two attempts to reach the database: the pause doubles from one to the other."""

CLOSE_TIMEOUT: Final = 5.0
LONGEST_CLOSE: Final = 18.0
"""Seconds to write the rest when the worker ends: as long as nothing is written, and in all."""


class DurableHistory:
    """A History (see there) around another one, for a database that may be unavailable.

    Turns (`add_message`, `begin_answer`, `finish_answer`) are always accepted. While the database
    is unavailable they are kept in memory and return the presumed result at once: the message is
    new (at a position that is not known yet), the answer the first. They are written in order when
    the database is back. Past the backlog's bounds the oldest are given up; `given_up` counts them.

    Everything else fails with UnavailableError until all that was kept is written, since it would
    not see it. `migrate` does not fail for one that is unavailable: it is done when that is back.
    """

    def __init__(
        self,
        store: History,
        *,
        backlog: Backlog | None = None,
        patience: float = PATIENCE,
        first_pause: float = FIRST_PAUSE,
    ) -> None:
        self._store = store
        self._ends = AnswerEnds(store)
        self._backlog = Backlog() if backlog is None else backlog
        self._patience = patience
        self._first_pause = first_pause
        self._away = False
        self._available = asyncio.Event()
        self._available.set()
        self._caught_up = asyncio.Event()
        """Cleared while the last buffered writes are being written."""
        self._caught_up.set()
        self._migrated = False
        self._closing = asyncio.Event()
        self._in_haste = asyncio.Event()
        self._writing: list[Write] = []
        self._tasks = Tasks()
        self._task: asyncio.Task[None] | None = None
        self.given_up = 0

    def __str__(self) -> str:
        return str(self._store)

    @property
    def boards(self) -> Boards:
        """Not kept during an outage: an agent with an open board has all of it."""
        return self._store.boards

    @property
    def states(self) -> States:
        """A live conversation writes it again once the database is back."""
        return self._store.states

    @property
    def token_usage(self) -> TokenUsage:
        """Not buffered: the counters of tokens keep them and add them later."""
        return self._store.token_usage

    @property
    def accounts(self) -> AccountStore:
        """Not buffered while the database is unavailable: agent.accounts keeps its own writes."""
        return self._store.accounts

    @property
    def leases(self) -> Leases:
        """Not kept while the database is unavailable: any worker may then answer a room."""
        return self._store.leases

    @property
    def made_calls(self) -> MadeCalls:
        """Not kept while the database is unavailable: calls that must not repeat wait."""
        return self._store.made_calls

    @property
    def healthy(self) -> bool:
        return self._available.is_set()

    @property
    def waiting(self) -> int:
        """Writes that are not in the database yet."""
        return len(self._backlog) + len(self._writing)

    async def available(self) -> None:
        await self._available.wait()

    async def written(self) -> None:
        """Returns when the database has everything that was buffered, however long that takes."""
        while self._task is not None and not self._task.done():
            await asyncio.wait((self._task,))

    async def migrate(self) -> None:
        try:
            await self._store.migrate()
        except UnavailableError as error:
            self._went_away(error)
        else:
            self._migrated = True

    def hurry(self) -> None:
        """Makes no long pauses any more: the history is about to be closed."""
        self._in_haste.set()

    async def aclose(self, *, longest: float = LONGEST_CLOSE) -> None:
        """Tries for CLOSE_TIMEOUT seconds to write the rest, up to `longest` with progress."""
        self._closing.set()
        self.hurry()
        left = self.waiting + 1
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(longest):
                while self._task and not self._task.done() and self.waiting < left:
                    left = self.waiting
                    await asyncio.wait((self._task,), timeout=CLOSE_TIMEOUT)
        await self._tasks.aclose()
        self._caught_up.set()
        self._ends.pass_on()
        if lost := self.waiting:
            logger.error("history unavailable at shutdown; %s buffered writes are lost", lost)
            HISTORY_LOST.add(by=lost)
        await self._store.aclose()

    async def add_message(self, message: Message) -> Added:
        is_written = any(each.opens and each.turn == message.key for each in self._writing)
        if is_written or self._backlog.has_message(message.key):
            return Added(is_new=False)
        add = partial(self._store.add_message, message)
        return await self._keep(message.key, message, add, presumed=Added(is_new=True))

    async def begin_answer(self, answer: Message) -> Message:
        return await self._keep(
            answer.question, answer, lambda: self._store.begin_answer(answer), presumed=answer
        )

    async def finish_answer(self, answer: Message) -> None:
        await self._keep(answer.turn, answer, lambda: self._ends.finish(answer), presumed=None)

    async def page(
        self, thread: ThreadKey, *, asker: str, before: str | None = None, limit: int = 50
    ) -> Page:
        return await self._pass_on(
            lambda: self._store.page(thread, asker=asker, before=before, limit=limit)
        )

    async def find(self, room: str, message_id: str, *, asker: str) -> tuple[Message, ...]:
        return await self._pass_on(lambda: self._store.find(room, message_id, asker=asker))

    async def find_attachment(
        self, room: str, file_id: str, *, asker: str
    ) -> tuple[Attachment, ThreadKey] | None:
        return await self._pass_on(lambda: self._store.find_attachment(room, file_id, asker=asker))

    async def attached_content(self, hashes: Sequence[str]) -> frozenset[str]:
        return await self._pass_on(lambda: self._store.attached_content(hashes))

    async def stored_bytes(self, room: str) -> Mapping[str, int]:
        return await self._pass_on(lambda: self._store.stored_bytes(room))

    async def unanswered(self, room: str) -> tuple[Unanswered, ...]:
        return await self._pass_on(lambda: self._ends.unanswered(room))

    async def answered(self, question: MessageKey) -> Answered | None:
        return await self._pass_on(lambda: self._store.answered(question))

    async def untold(self, room: str) -> tuple[Answered, ...]:
        return await self._pass_on(lambda: self._ends.untold(room))

    def end_told(self, answer: MessageKey) -> None:
        self._ends.told(answer, is_stored=self.healthy)

    async def threads(self, room: str, *, asker: str) -> tuple[Thread, ...]:
        return await self._pass_on(lambda: self._store.threads(room, asker=asker))

    async def ask_again(
        self,
        question: MessageKey,
        *,
        asker: str,
        text: str | None = None,
        awaits_answer: bool = True,
    ) -> Unanswered:
        return await self._pass_on(
            lambda: self._store.ask_again(
                question, asker=asker, text=text, awaits_answer=awaits_answer
            )
        )

    async def delete_message(self, message: MessageKey, *, asker: str) -> tuple[MessageKey, ...]:
        return await self._pass_on(lambda: self._store.delete_message(message, asker=asker))

    async def delete_thread(self, thread: ThreadKey, *, asker: str) -> int:
        return await self._pass_on(lambda: self._store.delete_thread(thread, asker=asker))

    async def set_reaction(
        self, message: MessageKey, emoji: str, *, asker: str, present: bool = True
    ) -> None:
        await self._pass_on(
            lambda: self._store.set_reaction(message, emoji, asker=asker, present=present)
        )

    async def set_feedback(self, message: MessageKey, feedback: Feedback) -> None:
        await self._pass_on(lambda: self._store.set_feedback(message, feedback))

    async def erase(self, subject: Subject) -> Erased:
        return await self._pass_on(lambda: self._store.erase(subject))

    async def expire(self, before: int, *, batch: int, pause: float) -> Erased:
        return await self._pass_on(lambda: self._store.expire(before, batch=batch, pause=pause))

    async def set_summary(self, thread: ThreadKey, summary: Summary) -> None:
        await self._pass_on(lambda: self._store.set_summary(thread, summary))

    async def _pass_on(self, call: Callable[[], Awaitable[Result]]) -> Result:
        await self._caught_up.wait()
        if self._away:
            raise UnavailableError("The history is not available right now.")
        try:
            return await call()
        except UnavailableError as error:
            self._went_away(error)
            raise

    async def _keep(
        self,
        turn: MessageKey,
        message: Message,
        run: Callable[[], Awaitable[Result]],
        *,
        presumed: Result,
    ) -> Result:
        """Queues a write and waits for it, but not for a database that is unavailable or slow."""
        if self._closing.is_set():
            raise UnavailableError("The history is closed.")
        outcome: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        size = len(message.text) + len(message.parts or "")
        write = Write(turn, message.role == "user", size, run, presumed, outcome)
        given_up = self._backlog.add(write)
        if given_up:
            HISTORY_LOST.add(by=given_up)
            if not self.given_up:
                logger.error("history unavailable too long; dropping the oldest buffered turns")
            self.given_up += given_up
        self._wake()
        if self._away:
            write.settle(presumed)
        try:
            await asyncio.wait((outcome,), timeout=self._patience)
            if not outcome.done():
                self._went_away(UnavailableError(f"no answer within {self._patience:g} s"))
        finally:
            write.settle(presumed)
        return outcome.result()

    def _wake(self) -> None:
        if self._task is None or self._task.done():
            self._task = self._tasks.keep(self._write_all, name="history backlog")

    def _went_away(self, error: Exception) -> None:
        self._available.clear()
        # A wait for the rest to be written would never end.
        self._caught_up.set()
        if not self._away:
            self._away = True
            reason = error if isinstance(error, HistoryError) else type(error).__name__
            logger.warning("history database unavailable; buffering writes: %s", reason)
        if not self._closing.is_set():
            self._wake()

    def _came_back(self) -> None:
        """Ends the presuming of results; the next batch writes the rest of the backlog."""
        self._away = False
        if self._backlog:
            self._caught_up.clear()
        else:
            self._available.set()
        logger.info("history database available again; buffered writes are stored")

    async def _write_all(self) -> None:
        """Writes until there is nothing left and the database is there."""
        pause = self._first_pause
        while self._backlog or (self._away and not self._closing.is_set()):
            try:
                await self._write_some()
                pause = self._first_pause
                continue
            except HistoryError as error:
                self._went_away(error)
            except Exception as error:
                # The boundary of the store: whatever is wrong with it, rooms go on without it.
                logger.exception("history store failed unexpectedly")
                self._went_away(error)
            # At the end until `aclose` gives up: the database may be failing over.
            hurries = self._in_haste.is_set()
            await (asyncio.sleep(self._first_pause) if hurries else self._pause(pause))
            pause = min(pause * 2, LONGEST_PAUSE)
        self._ends.pass_on()

    async def _write_some(self) -> None:
        if self._away or not self._migrated:
            # It also shows whether the database is available.
            await self._store.migrate()
            self._migrated = True
        await self._write_batch()
        if not self._away:
            self._caught_up.set()
            self._available.set()
        elif len(self._backlog) <= BATCH:
            self._came_back()

    async def _write_batch(self) -> None:
        writing = self._writing = self._backlog.take(BATCH)
        try:
            # Together: the store writes in the order of the calls, and shares its transactions.
            all_of_it = asyncio.gather(*(write.run() for write in writing), return_exceptions=True)
            outcomes = cast("list[object]", await all_of_it)
        except asyncio.CancelledError:
            self._backlog.put_back(writing)
            raise
        finally:
            self._writing = []
        self._sort_out(writing, outcomes)

    def _sort_out(self, writing: list[Write], outcomes: list[object]) -> None:
        """Settles writes and requeues those to be retried; raises UnavailableError."""
        failed: list[Write] = []
        unavailable: UnavailableError | None = None
        for write, outcome in zip(writing, outcomes, strict=True):
            if isinstance(outcome, UnavailableError):
                unavailable = outcome
                failed.append(write)
                # It may be in the database nevertheless; the retry is then taken for a repetition.
                write.settle(write.presumed)
                continue
            if isinstance(outcome, Exception) and write.outcome.done():
                reason = outcome if isinstance(outcome, HistoryError) else type(outcome).__name__
                logger.error("buffered write rejected by the history database and lost: %s", reason)
                HISTORY_LOST.add()
            write.settle(outcome)
        self._backlog.put_back(failed)
        if unavailable is not None:
            raise unavailable

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._in_haste.wait()
