"""SqlHistory: the history in SQLite or Postgres."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial

from agent.history import migrate, sql_changes, sql_reads, sql_turns
from agent.history.cursor import decode_cursor
from agent.history.database import Database
from agent.history.erasure import Erased, Subject
from agent.history.errors import InvalidValueError
from agent.history.group_commit import GroupCommit
from agent.history.history import MAX_PAGE, UNTOLD_FOR
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
from agent.history.sql_accounts import SqlAccounts
from agent.history.sql_boards import SqlBoards
from agent.history.sql_clock import database_now
from agent.history.sql_eraser import SqlEraser
from agent.history.sql_leases import SqlLeases
from agent.history.sql_made_calls import SqlMadeCalls
from agent.history.sql_states import SqlStates
from agent.history.sql_token_usage import SqlTokenUsage
from agent.history.told_answers import ToldAnswers


class SqlHistory:
    """A History (see there) in a database, used from one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._commits = GroupCommit(database)
        self._told = ToldAnswers(self._commits)
        self._eraser = SqlEraser(database, self._commits)
        self.boards = SqlBoards(database, self._commits)
        self.states = SqlStates(database, self._commits)
        self.token_usage = SqlTokenUsage(database, self._commits)
        self.accounts = SqlAccounts(database, self._commits)
        self.leases = SqlLeases(database)
        self.made_calls = SqlMadeCalls(database, self._commits)

    def __str__(self) -> str:
        return str(self._database.url)

    @property
    def healthy(self) -> bool:
        return self._database.worked

    async def available(self) -> None:
        """Returns at once: only its use shows whether the database is there."""

    async def migrate(self) -> None:
        await migrate.migrate(self._database)

    async def aclose(self) -> None:
        await self._told.aclose()
        await self._commits.aclose()
        await self._database.aclose()

    async def add_message(self, message: Message) -> Added:
        return await self._commits.run(partial(sql_turns.add_message, message=message))

    async def begin_answer(self, answer: Message) -> Message:
        return await self._commits.run(partial(sql_turns.begin_answer, answer=answer))

    async def finish_answer(self, answer: Message) -> None:
        await self._commits.run(partial(sql_turns.finish_answer, answer=answer))

    async def page(
        self, thread: ThreadKey, *, asker: str, before: str | None = None, limit: int = 50
    ) -> Page:
        thread.check_visible(asker)
        if not 1 <= limit <= MAX_PAGE:
            raise InvalidValueError(f"The limit of a page is 1 to {MAX_PAGE}.")
        position = None if before is None else decode_cursor(thread, before)
        return await self._database.read(lambda c: sql_reads.read_page(c, thread, position, limit))

    async def find(self, room: str, message_id: str, *, asker: str) -> tuple[Message, ...]:
        check_id("The id of a message", message_id)
        return await self._database.read(
            lambda c: sql_reads.find_messages(c, room, message_id, asker)
        )

    async def find_attachment(
        self, room: str, file_id: str, *, asker: str
    ) -> tuple[Attachment, ThreadKey] | None:
        return await self._database.read(
            lambda c: sql_reads.find_attachment(c, room, file_id, asker)
        )

    async def attached_content(self, hashes: Sequence[str]) -> frozenset[str]:
        wanted = tuple(hashes)
        return await self._database.read(lambda c: sql_reads.attached_content(c, wanted))

    async def stored_bytes(self, room: str) -> Mapping[str, int]:
        return await self._database.read(lambda c: sql_reads.stored_bytes(c, room))

    async def unanswered(self, room: str) -> tuple[Unanswered, ...]:
        return await self._database.read(lambda c: sql_reads.read_unanswered(c, room))

    async def answered(self, question: MessageKey) -> Answered | None:
        return await self._database.read(lambda c: sql_reads.find_answered(c, question))

    async def untold(self, room: str) -> tuple[Answered, ...]:
        since = int((time.time() - UNTOLD_FOR) * 1000)
        return await self._database.read(lambda c: sql_reads.read_untold(c, room, since))

    def end_told(self, answer: MessageKey) -> None:
        self._told.note(answer)

    async def threads(self, room: str, *, asker: str) -> tuple[Thread, ...]:
        return await self._database.read(lambda c: sql_reads.read_threads(c, room, asker))

    async def ask_again(
        self,
        question: MessageKey,
        *,
        asker: str,
        text: str | None = None,
        awaits_answer: bool = True,
    ) -> Unanswered:
        question.thread.check_visible(asker)
        work = partial(
            sql_changes.ask_again, question=question, text=text, awaits_answer=awaits_answer
        )
        return await self._commits.run(work)

    async def delete_message(self, message: MessageKey, *, asker: str) -> tuple[MessageKey, ...]:
        message.thread.check_visible(asker)
        return await self._commits.run(partial(sql_changes.delete_message, message=message))

    async def delete_thread(self, thread: ThreadKey, *, asker: str) -> int:
        thread.check_visible(asker)
        return await self._commits.run(partial(sql_changes.delete_thread, thread=thread))

    async def set_reaction(
        self, message: MessageKey, emoji: str, *, asker: str, present: bool = True
    ) -> None:
        message.thread.check_visible(asker)
        check_emoji(emoji)
        work = partial(
            sql_changes.set_reaction, message=message, emoji=emoji, asker=asker, present=present
        )
        await self._commits.run(work)

    async def set_feedback(self, message: MessageKey, feedback: Feedback) -> None:
        message.thread.check_visible(feedback.identity)
        check_feedback(feedback)
        await self._commits.run(partial(sql_changes.set_feedback, message=message, given=feedback))

    async def erase(self, subject: Subject) -> Erased:
        return await self._eraser.erase(subject)

    async def expire(self, before: int, *, batch: int, pause: float) -> Erased:
        return await self._eraser.expire(before, batch=batch, pause=pause)

    async def ahead(self) -> int:
        """See own_erasure.ClockedHistory."""
        now = await self._database.read(database_now)
        return max(0, int(time.time() * 1000) - now)

    async def set_summary(self, thread: ThreadKey, summary: Summary) -> None:
        await self._commits.run(partial(sql_changes.set_summary, thread=thread, summary=summary))
