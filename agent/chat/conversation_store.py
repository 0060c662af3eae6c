"""ConversationStore: stores the messages of one conversation, and restores them from the
history."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

from agent.chat.question import Again, Past, Question, Turn, new_segment_id, question_of, turn_of
from agent.chat.stored_answers import StoredAnswers
from agent.chat.summaries import Summaries
from agent.chat.tenure import Tenure
from agent.history.errors import HistoryError, InvalidValueError, UnavailableError
from agent.history.history import MAX_PAGE, History
from agent.history.message import (
    Added,
    Attachment,
    FinishReason,
    Message,
    MessageKey,
    ThreadKey,
)
from agent.inbox.message import IncomingMessage, Key, Sender, id_was_used
from agent.models.summariser import SummaryError
from agent.replies.reply_output import Ending
from agent.wire.refusal import Refusal
from toolkit.parts import ShownPart

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

RECALL_TIMEOUT = 5.0
"""Seconds to wait for the history; then a conversation starts without it, for the moment."""

RECALL_PAUSE = 30.0
"""Seconds after which a slow store is asked again."""


class ConversationStore:
    """Keeps the messages and answers of one thread.

    Only `begin` and `recall` wait for the store. If it fails, the conversation goes on: a message
    that cannot be stored is answered anyway.
    """

    def __init__(  # noqa: PLR0913 - what it keeps, and whom it tells
        self,
        history: History,
        thread: ThreadKey,
        agent: Sender,
        *,
        summaries: Summaries,
        refuse: Callable[[IncomingMessage, Refusal], None],
        on_stored: Callable[[IncomingMessage, int | None], None],
        tenure: Tenure,
        has_other_agent: Callable[[], bool],
    ) -> None:
        """
        Args:
            refuse: notifies the sender of a message why it is not accepted.
            on_stored: notifies a sender who asked that a message is stored, at which position.
            tenure: whether the agent may answer here.
            has_other_agent: whether one of another identity is in the room.
        """
        self._history = history
        self._thread = thread
        self._agent = agent
        self._summaries = summaries
        self._refuse = refuse
        self._on_stored = on_stored
        self._tenure = tenure
        self._has_other_agent = has_other_agent
        self.answers = StoredAnswers(history, thread, agent.identity, tenure)
        self._recall_pause = 0.0
        self._writes: set[asyncio.Task[object]] = set()

    @property
    def agent(self) -> str:
        """The agent's identity."""
        return self._agent.identity

    @property
    def thread(self) -> ThreadKey:
        """The thread that it keeps."""
        return self._thread

    def keep(self, message: IncomingMessage) -> Question:
        """Begins to store a question.

        Raises:
            Refusal: (400) no message can have such an id.
        """
        return Question(message, new_segment_id(), self._add(message, awaits_answer=True))

    def keep_own(
        self, message: IncomingMessage, text: str | None, parts: tuple[ShownPart, ...] = ()
    ) -> Question:
        """Begins to store that the agent says something unasked; the message's id is its own."""
        answer = self._answer(Question(message, message.id))
        kept = self._start(_attempt(self._history.add_message(answer), Added(is_new=True)))
        return Question(message, message.id, kept, text, parts)

    def note(self, message: IncomingMessage) -> None:
        """Begins to store a message that is for others. Raises Refusal as `keep` does."""
        self._add(message, awaits_answer=False)

    def acknowledge(self, message: IncomingMessage) -> None:
        """Acknowledges a repeated message once it is stored; stores it if it is not yet stored, as
        after an outage of the database."""
        try:
            self._add(message, awaits_answer=True)
        except Refusal as refusal:
            self._refuse(message, refusal)

    async def begin(self, question: Question) -> Question | None:
        """The question, once it is stored and may be answered; None if it has been answered, or
        another worker is to answer it.

        Where another worker began to answer, the segment id is that of the answer it began.
        """
        if question.kept is not None:
            # Shielded: the message is stored even if the caller is cancelled.
            added = await asyncio.shield(question.kept)
            if added.is_new:
                message = replace(question.message, position=added.position)
                return replace(question, message=message) if await self._tenure.holds() else None
            left = await self._left_by_another(question.message.key)
            if left is None:
                return None
            question = left
        if not await self._tenure.holds():
            return None
        answer = self._answer(question)
        standing = await _attempt(self._history.begin_answer(answer), answer)
        if standing.finish_reason is not None:
            return None
        return replace(question, segment_id=standing.id)

    async def _left_by_another(self, message: Key) -> Question | None:
        """A question that was stored before and has no answer; None if it has one, the store does
        not say, or another agent in the room may have stored it just now, and answers.

        After a crash of the room server, the agent of another worker may have been in the room for
        a moment: this one has recalled nothing of what came then.
        """
        if self._has_other_agent():
            return None
        await self.settled()
        try:
            async with asyncio.timeout(RECALL_TIMEOUT):
                left = await self._unanswered()
        except (HistoryError, TimeoutError) as error:
            _log(error, "message that came again not answered")
            return None
        return next((each for each in left if each.message.key == message), None)

    def begun(self, question: Question) -> None:
        """Begins to store the id of an answer, once somebody may have seen it.

        Not earlier: the first text neither waits for it nor shares the processor with it, and a
        short answer has ended by then.
        """
        if question.kept is not None and not question.message.is_own:
            begun = self._history.begin_answer(self._answer(question))
            self._start(_attempt(begun, None))

    def finish(
        self,
        question: Question,
        ending: Ending,
        attachments: Sequence[Attachment] = (),
        by: tuple[str, str] | None = None,
    ) -> None:
        """Begins to store an answer that has ended, with its files; `by`: the name of the agent of
        the app that gave it, and its name for people, where there are several."""
        answer = self._answer(question, ending.kept, ending.finish_reason)
        answer = replace(answer, attachments=tuple(attachments), parts=ending.parts)
        if by is not None:
            answer = replace(answer, agent=by[0], sender_name=by[1])
        if self._tenure.is_cut and ending.finish_reason == "interrupted":
            return
        self._start(self._finish(answer))

    async def settled(self) -> None:
        """Returns when everything is stored, or buffered while the database is unavailable."""
        if self._writes:
            # Not gathered: they are not cancelled with the one who waits.
            await asyncio.wait(self._writes)

    async def recall(self, max_items: int) -> Past | None:
        """The latest turns, up to a number of messages and answers, and the unanswered questions.

        None if the store is unavailable: `recallable` returns when to ask again.
        """
        try:
            async with asyncio.timeout(RECALL_TIMEOUT):
                # In this order: what is answered in between is a turn, and `begin` finds out.
                questions = await self._unanswered()
                turns, is_whole, agent = await self._turns(max_items)
                summary = await self._summaries.stored(self._thread)
                text = summary.text if summary else ""
                untold = await self.answers.untold()
                return Past(turns, is_whole, text, questions, agent, untold)
        except (UnavailableError, TimeoutError) as error:
            _log(error, "history not loaded, will retry; the conversation continues without it")
            self._recall_pause = RECALL_PAUSE if isinstance(error, TimeoutError) else 0.0
            return None
        except Exception as error:
            # The boundary of the history: the conversation starts without it.
            _log(error, "history not loaded; the conversation starts without it")
            return Past()

    async def recallable(self) -> None:
        """Returns when it is worthwhile to ask for the history again."""
        await asyncio.sleep(self._recall_pause)
        await self._history.available()

    async def summarise(self) -> str | None:
        """A summary of all turns that have answers; None if it cannot be made now."""
        try:
            summary = await self._summaries.up_to_date(self._thread)
        except (SummaryError, HistoryError) as error:
            logger.warning(
                "conversation not summarised, will retry after the next answers: %s", error
            )
        except Exception:
            # The boundary around summaries: the conversation works without them.
            logger.exception("summarising a conversation failed unexpectedly")
        else:
            return None if summary is None else summary.text
        return None

    async def ask_again(
        self, message: Key, text: str | None = None, *, awaits_answer: bool = True
    ) -> Again:
        """Opens a message for another answer, with another text if one is given.

        Raises:
            HistoryError: there is no such message, or the store cannot be used.
        """
        with self._changing():
            asked = await self._history.ask_again(
                MessageKey(self._thread, *message),
                asker=self._asker,
                text=text,
                awaits_answer=awaits_answer,
            )
        return Again(question_of(asked), asked.segment_id is not None)

    async def delete(self, message: Key) -> tuple[Key, ...]:
        """Erases a message and its answer, or an answer. Raises HistoryError as `ask_again`."""
        key = MessageKey(self._thread, *message)
        with self._changing():
            erased = await self._history.delete_message(key, asker=self._asker)
        return tuple((each.sender_id, each.id) for each in erased)

    async def delete_all(self) -> int:
        """Erases the thread; returns of how many messages. Raises HistoryError."""
        with self._changing():
            return await self._history.delete_thread(self._thread, asker=self._asker)

    @contextmanager
    def _changing(self) -> Generator[None]:
        """A message that is being changed must not be in a summary."""
        self._summaries.changed(self._thread)
        try:
            yield
        finally:
            self._summaries.changed(self._thread)

    @property
    def _asker(self) -> str:
        return self._thread.owner or self._agent.identity

    async def _unanswered(self) -> tuple[Question, ...]:
        found = await self._history.unanswered(self._thread.room)
        return tuple(question_of(each) for each in found if each.message.thread == self._thread)

    async def _turns(self, max_items: int) -> tuple[tuple[Turn, ...], bool, str | None]:
        """The last turns, whether there are no others, and which agent answered last.

        Each answer follows its question, even if other messages came in between. An unasked answer
        is a turn without a question.
        """
        newest_first: list[Turn] = []
        answers: dict[tuple[str | None, str | None], Message] = {}
        agent: str | None = None
        before: str | None = None
        while True:
            page = await self._history.page(
                self._thread,
                asker=self._asker,
                before=before,
                limit=min(max_items, MAX_PAGE),
            )
            for message in reversed(page.messages):
                if message.role == "assistant":
                    agent = agent or message.agent
                    if message.in_reply_to is not None:
                        answers[message.in_reply_to_sender, message.in_reply_to] = message
                        continue
                answer = answers.pop((message.sender_id, message.id), None)
                if not message.awaits_answer or answer is not None:
                    turn = turn_of(message, answer)
                    max_items -= 2 if turn.answer else 1
                    if max_items < 0:
                        return tuple(reversed(newest_first)), False, agent
                    newest_first.append(turn)
            before = page.next_before
            if before is None or not max_items:
                return tuple(reversed(newest_first)), before is None, agent

    def _add(self, message: IncomingMessage, *, awaits_answer: bool) -> asyncio.Task[Added]:
        sender = message.sender
        try:
            kept = Message(
                thread=self._thread,
                sender_id=sender.identity,
                id=message.id,
                role="user",
                text=message.text,
                timestamp=message.timestamp,
                sender_name=sender.name,
                in_reply_to=message.reply_to,
                form=message.form.value,
                awaits_answer=awaits_answer,
                attachments=message.attachments,
            )
        except InvalidValueError as error:
            raise Refusal(400, f"{error}.") from None
        return self._start(self._add_new(message, kept))

    async def _add_new(self, message: IncomingMessage, kept: Message) -> Added:
        """Stores a message; not new if it is a repetition, or another one has its id.

        The sender of such a duplicate id gets a notice, since it gets no answer. A message that was
        edited since looks the same as a repetition.
        """
        added = await _attempt(self._history.add_message(kept), Added(is_new=True))
        if not added.is_new:
            find = self._history.find(kept.thread.room, kept.id, asker=kept.sender_id)
            for former in await _attempt(find, ()):
                is_other = former.text != kept.text and former.edited_at is None
                if former.key == kept.key and is_other:
                    self._refuse(message, id_was_used())
                    return added
        if message.wants_ack and added.is_stored:
            self._on_stored(message, added.position)
        return added

    async def _finish(self, answer: Message) -> None:
        """Stores an answer, unless another worker gives it: its own must stand."""
        if await self._tenure.holds():
            await _attempt(self._history.finish_answer(answer), None)

    def _answer(
        self, question: Question, text: str = "", finish_reason: FinishReason | None = None
    ) -> Message:
        return Message(
            thread=self._thread,
            sender_id=self._agent.identity,
            id=question.segment_id,
            role="assistant",
            text=text,
            timestamp=int(time.time() * 1000),
            sender_name=self._agent.name,
            in_reply_to=None if question.message.is_own else question.message.id,
            in_reply_to_sender=None
            if question.message.is_own
            else question.message.sender.identity,
            finish_reason=finish_reason,
        )

    def _start(self, write: Awaitable[Result]) -> asyncio.Task[Result]:
        task = asyncio.ensure_future(write)
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        return task


async def _attempt(write: Awaitable[Result], otherwise: Result) -> Result:
    try:
        return await write
    except Exception as error:
        # The boundary of the history: whatever is wrong with it, the room goes on.
        _log(error, "message not persisted")
        return otherwise


def _log(error: Exception, what: str) -> None:
    if isinstance(error, HistoryError | TimeoutError):
        logger.warning("%s: %s", what, error or "timed out")
    else:
        logger.error("%s", what, exc_info=error)
