"""Changes: stops, repeats, edits and deletes messages of one conversation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from agent.chat.active_answer import ActiveAnswer
from agent.chat.context import UNASKED, Context
from agent.chat.conversation_store import ConversationStore
from agent.chat.question import Question
from agent.chat.question_queue import QuestionQueue
from agent.inbox.message import IncomingMessage, Key


class Changes:
    """Applies each change to the store, the queue and the model's context, one at a time.

    A message that is being changed stays in the queue meanwhile, and an answer to it that is in
    progress is stopped first. The store comes first: a change that it refuses has no effect.

    Each method but `stop` raises HistoryError: there is no such message, or the store cannot be
    used. Do not cancel one half-way.

    Args:
        answering: the answer in progress, if any.
        withdraw: ends a question that has left the queue; False: it had an answer already.
        ready: set once the conversation has restored its history.
    """

    def __init__(
        self,
        *,
        store: ConversationStore,
        waiting: QuestionQueue,
        context: Context,
        answering: Callable[[], ActiveAnswer | None],
        withdraw: Callable[[Question], Awaitable[bool]],
        ready: asyncio.Event,
    ) -> None:
        self._store = store
        self._waiting = waiting
        self._context = context
        self._answering = answering
        self._withdraw = withdraw
        self._ready = ready
        self._one_at_a_time = asyncio.Lock()

    async def stop(self, message: Key) -> bool:
        """Ends a message's answer as `cancelled`, with the text so far, or before it begins.

        Returns False if there is nothing to stop: it has ended, or ends in this moment, or its
        agent does not let it be stopped at present.
        """
        answering = self._answer_to(message)
        if answering is None:
            async with self._one_at_a_time:
                waiting = self._waiting.find(message)
                if waiting is not None:
                    self._waiting.take_out(waiting)
                    return await self._withdraw(waiting)
            answering = self._answer_to(message)
        if answering is None:
            return False
        if not answering.stop("cancelled", force=False):
            return False
        return await answering.ended() == "cancelled"

    async def regenerate(self, message: Key) -> None:
        """Answers a message again; does nothing while it waits or is being answered.

        Raises:
            Refusal: (429) its author has too many messages waiting.
        """
        await self._ready.wait()
        async with self._one_at_a_time:
            answering = self._answer_to(message)
            if answering is not None:
                if answering.stopped is None:
                    return
                await answering.ended()
            if self._waiting.find(message) is None:
                self._waiting.check(message[0])
                await self._store.settled()
                again = await self._store.ask_again(message)
                self._context.forget_summary()
                self._waiting.add(again.question)

    async def edit(
        self, message: Key, text: str, is_for_agent: Callable[[IncomingMessage], bool]
    ) -> IncomingMessage:
        """Gives a message another text and answers it again; returns the message as it is now.

        A message that was for others, and still is, gets no answer; the model reads its new text.

        Raises:
            Refusal: (429) its author has too many messages waiting.
        """
        await self._ready.wait()
        async with self._one_at_a_time:
            with self._waiting.held((message,)):
                if self._waiting.find(message) is None:
                    self._waiting.check(message[0])
                await self._stop_answering(message)
                again = await self._store.ask_again(message, text)
                question = again.question
                self._context.revise(question.message)
                waiting = self._waiting.find(message)
                if waiting is not None:
                    self._waiting.replace(waiting, question)
                elif again.answered or is_for_agent(question.message):
                    self._waiting.add(question)
                else:
                    await self._store.ask_again(message, awaits_answer=False)
                return question.message

    async def delete(self, message: Key, question: Key) -> tuple[Key, ...]:
        """Erases a message with its answer, or the answer to a question; returns the deleted
        keys."""
        await self._ready.wait()
        async with self._one_at_a_time:
            with self._waiting.held((question,)):
                await self._stop_answering(question)
                erased = await self._store.delete(message)
                if message == question:
                    self._forget(question)
                else:
                    self._context.remove_answer(question)
                return erased

    async def delete_all(self) -> int:
        """Erases the thread; returns how many messages are gone."""
        await self._ready.wait()
        async with self._one_at_a_time:
            waiting = [question.message.key for question in self._waiting.questions]
            with self._waiting.held(waiting):
                answering = self._answering()
                if answering is not None:
                    await self._stop_answering(answering.question.message.key)
                count = await self._store.delete_all()
                for message in waiting:
                    self._forget(message)
                self._context.clear()
                return count

    async def forget_author(self, identity: str) -> None:
        """Drops a participant's messages, with their answers, from the queue and the context; the
        store is for the caller."""
        await self._ready.wait()
        async with self._one_at_a_time:
            own = [each.message.key for each in self._waiting.questions]
            own = [key for key in own if key[0] == identity]
            with self._waiting.held(own):
                answering = self._answering()
                if answering is not None and answering.question.message.key[0] == identity:
                    await self._stop_answering(answering.question.message.key)
                await self._store.settled()
                for key in own:
                    self._forget(key)
                self._context.remove_author(identity)

    def _answer_to(self, message: Key) -> ActiveAnswer | None:
        answering = self._answering()
        if answering is not None and answering.question.message.key == message:
            return answering
        return None

    async def _stop_answering(self, message: Key) -> None:
        """Returns when the message is not being answered, and all that was said is stored."""
        answering = self._answer_to(message)
        if answering is not None:
            answering.stop("cancelled")
            await answering.ended()
        await self._store.settled()

    def _forget(self, message: Key) -> None:
        waiting = self._waiting.find(message)
        if waiting is not None:
            self._waiting.take_out(waiting)
            self._waiting.done(waiting)
        if message[0] == self._store.agent:
            message = (UNASKED, message[1])
        self._context.remove(message)
