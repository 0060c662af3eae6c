"""OwnHistory: a History whose messages are in a store of the app's own."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from agent.history.cursor import decode_cursor
from agent.history.errors import HistoryError, InvalidValueError
from agent.history.history import MAX_PAGE, MAX_UNANSWERED, UNTOLD_FOR, title_of
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
    check_id,
)
from agent.history.opinions import check_emoji, check_feedback
from agent.history.own_changes import OwnChanges
from agent.history.own_erasure import ClockedHistory, OwnErasure
from agent.history.own_summaries import OwnSummaries
from agent.history.own_turns import OwnTurns, readable
from agent.history.turn_store import KeepsSummaries, KnowsFiles, RemovesTurns, TurnStore
from agent.tasks import Tasks

if TYPE_CHECKING:
    from agent.history.erasure import Erased, Subject
    from agent.history.turn_store import StoredTurn

logger = logging.getLogger(__name__)


MAX_NOTES: Final = 1_000
"""Ends of answers that are being noted at a time; beyond them, ends are sent again."""

NOTES_TIMEOUT: Final = 2.0
"""Seconds to note the rest when the worker ends."""


class OwnHistory:
    """A History (see there): messages in the app's store, everything else in the worker's database.

    Args:
        rest: a history for boards, states, leases, calls, tokens and accounts.
        log_content: see OwnTurns.

    Attributes:
        store: the app's.
    """

    def __init__(
        self, store: TurnStore, rest: ClockedHistory, *, log_content: bool = False
    ) -> None:
        self._rest = rest
        self.store = store
        self._turns = OwnTurns(store, log_content=log_content)
        self._summaries = OwnSummaries(self._turns)
        self._changes = OwnChanges(self._turns, self._summaries)
        self._erasure = OwnErasure(self._turns, self._summaries, rest)
        self._notes = Tasks()
        self._noting = 0
        self.boards = rest.boards
        self.states = rest.states
        self.token_usage = rest.token_usage
        self.accounts = rest.accounts
        self.leases = rest.leases
        self.made_calls = rest.made_calls

    def __str__(self) -> str:
        """Which data each store keeps, for the log."""
        lacks = [
            sentence
            for kind, sentence in (
                (KeepsSummaries, "summaries are not kept"),
                (RemovesTurns, "nothing can be erased, RETENTION_DAYS has no effect on messages"),
                (KnowsFiles, "files stay in ATTACHMENTS_DIR"),
            )
            if not isinstance(self.store, kind)
        ]
        name = type(self.store).__name__
        return "; ".join([f"messages in {name}, the rest in {self._rest}", *lacks])

    @property
    def healthy(self) -> bool:
        return self._turns.works and self._rest.healthy

    async def available(self) -> None:
        """Returns at once: only its use shows whether the store is there."""

    async def migrate(self) -> None:
        await self._rest.migrate()
        if (opening := getattr(self.store, "open", None)) is not None:
            await self._turns.use(opening())

    async def aclose(self) -> None:
        try:
            async with asyncio.timeout(NOTES_TIMEOUT):
                await self._notes.ended()
        except TimeoutError:
            logger.warning("ends of answers not stored; the answers may be sent again")
        await self._notes.aclose()
        if (closing := getattr(self.store, "aclose", None)) is not None:
            try:
                await self._turns.use(closing())
            except HistoryError as error:
                logger.warning("not closed: %s", error)
        await self._rest.aclose()

    async def add_message(self, message: Message) -> Added:
        return await self._changes.add_message(message)

    async def begin_answer(self, answer: Message) -> Message:
        return await self._changes.begin_answer(answer)

    async def finish_answer(self, answer: Message) -> None:
        await self._changes.finish_answer(answer)

    async def page(
        self, thread: ThreadKey, *, asker: str, before: str | None = None, limit: int = 50
    ) -> Page:
        thread.check_visible(asker)
        if not 1 <= limit <= MAX_PAGE:
            raise InvalidValueError(f"The limit of a page is 1 to {MAX_PAGE}.")
        end = None if before is None else decode_cursor(thread, before)
        found: list[Message] = []
        number = None if end is None else end // 2 + 1
        async for turn in self._turns.of_thread(thread, before=number):
            for message in reversed(readable(turn)):
                if end is None or (message.position or 0) < end:
                    found.append(message)
            if len(found) > limit:
                page = tuple(reversed(found[:limit]))
                return Page(page, page[0].cursor)
        return Page(tuple(reversed(found)))

    async def find(self, room: str, message_id: str, *, asker: str) -> tuple[Message, ...]:
        check_id("The id of a message", message_id)
        found = [
            message
            for turn in await self._visible(room, asker)
            for message in readable(turn)
            if message.id == message_id
        ]
        return tuple(found[:MAX_PAGE])

    async def find_attachment(
        self, room: str, file_id: str, *, asker: str
    ) -> tuple[Attachment, ThreadKey] | None:
        for turn in await self._visible(room, asker):
            for message in turn.messages:
                for file in message.attachments:
                    if file.id == file_id:
                        return file, turn.key.thread
        return None

    async def attached_content(self, hashes: Sequence[str]) -> frozenset[str]:
        if not isinstance(self.store, KnowsFiles):
            return frozenset(hashes)
        return frozenset(await self._turns.use(self.store.attached(hashes)))

    async def stored_bytes(self, room: str) -> Mapping[str, int]:
        used: dict[str, int] = {}
        for thread in await self._turns.threads(room):
            async for turn in self._turns.of_thread(thread):
                for message in turn.messages:
                    if message.attachments:
                        size = sum(file.size for file in message.attachments)
                        used[message.sender_id] = used.get(message.sender_id, 0) + size
        return used

    async def unanswered(self, room: str) -> tuple[Unanswered, ...]:
        found = [
            Unanswered(message, None if turn.answer is None else turn.answer.id)
            for turn in await self._recent(room)
            for message in readable(turn)
            if message.awaits_answer
        ]
        return tuple(found[:MAX_UNANSWERED])

    async def answered(self, question: MessageKey) -> Answered | None:
        turn = await self._turns.use(self.store.load(question))
        return None if turn is None else _answered(turn)

    async def untold(self, room: str) -> tuple[Answered, ...]:
        since = int((time.time() - UNTOLD_FOR) * 1000)
        found = [
            answered
            for turn in await self._recent(room)
            if not turn.is_told and turn.stored_at >= since
            if (answered := _answered(turn)) is not None
        ]
        return tuple(found[:MAX_PAGE])

    def end_told(self, answer: MessageKey) -> None:
        if self._noting < MAX_NOTES:
            self._noting += 1
            self._notes.start(self._note(answer), name="end of an answer")

    async def threads(self, room: str, *, asker: str) -> tuple[Thread, ...]:
        found: list[Thread] = []
        for key in await self._turns.threads(room):
            if key.owner in {None, asker}:
                messages = [
                    message
                    async for turn in self._turns.of_thread(key)
                    for message in reversed(readable(turn))
                ]
                if messages:
                    found.append(await self._thread(key, messages))
        return tuple(found)

    async def ask_again(
        self,
        question: MessageKey,
        *,
        asker: str,
        text: str | None = None,
        awaits_answer: bool = True,
    ) -> Unanswered:
        question.thread.check_visible(asker)
        return await self._changes.ask_again(question, text, awaits_answer=awaits_answer)

    async def delete_message(self, message: MessageKey, *, asker: str) -> tuple[MessageKey, ...]:
        message.thread.check_visible(asker)
        return await self._changes.delete_message(message)

    async def delete_thread(self, thread: ThreadKey, *, asker: str) -> int:
        thread.check_visible(asker)
        return await self._changes.delete_thread(thread)

    async def set_reaction(
        self, message: MessageKey, emoji: str, *, asker: str, present: bool = True
    ) -> None:
        message.thread.check_visible(asker)
        check_emoji(emoji)
        await self._changes.set_reaction(message, emoji, asker, present=present)

    async def set_feedback(self, message: MessageKey, feedback: Feedback) -> None:
        message.thread.check_visible(feedback.identity)
        check_feedback(feedback)
        await self._changes.set_feedback(message, feedback)

    async def erase(self, subject: Subject) -> Erased:
        return await self._erasure.erase(subject)

    async def expire(self, before: int, *, batch: int, pause: float) -> Erased:
        return await self._erasure.expire(before, batch=batch, pause=pause)

    async def set_summary(self, thread: ThreadKey, summary: Summary) -> None:
        await self._turns.having(summary.through)
        await self._summaries.keep(thread, summary)

    async def _note(self, answer: MessageKey) -> None:
        try:
            await self._changes.end_told(answer)
        except HistoryError as error:
            logger.debug("end of an answer not stored; the answer may be sent again: %s", error)
        finally:
            self._noting -= 1

    async def _visible(self, room: str, asker: str) -> list[StoredTurn]:
        """The turns of the room's thread and the asker's own, oldest first."""
        found: list[StoredTurn] = []
        for owner in (None, asker):
            turns = [turn async for turn in self._turns.of_thread(ThreadKey(room, owner))]
            found += reversed(turns)
        return found

    async def _recent(self, room: str) -> list[StoredTurn]:
        """The newest turns of all threads of a conversation, in order, thread by thread."""
        found: list[StoredTurn] = []
        for thread in await self._turns.threads(room):
            turns = [turn async for turn in self._turns.of_thread(thread, most=MAX_UNANSWERED)]
            found += reversed(turns)
        return sorted(found, key=lambda turn: turn.stored_at)

    async def _thread(self, key: ThreadKey, messages: Sequence[Message]) -> Thread:
        """A thread by its messages, the newest first."""
        first = next((each.text for each in reversed(messages) if each.role == "user"), "")
        summary = await self._summaries.of(key)
        return Thread(key, title_of(first), len(messages), messages[0].timestamp, summary)


def _answered(turn: StoredTurn) -> Answered | None:
    pair = readable(turn)
    return Answered(*pair) if len(pair) == 2 and not pair[0].awaits_answer else None
