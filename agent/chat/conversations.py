"""Conversations: those of one room, the room's own and one for each who writes privately."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from itertools import chain
from typing import Any, TypeVar

from livekit.agents import llm

from agent.chat.changes import Changes
from agent.chat.conversation import Conversation
from agent.chat.conversation_store import ConversationStore
from agent.chat.question import Question
from agent.chat.summaries import Summaries
from agent.chat.tenure import Tenure
from agent.chat.voice import Voice
from agent.history.errors import HistoryError, InvalidValueError, UnavailableError
from agent.history.history import History
from agent.history.message import Summary, ThreadKey
from agent.inbox.message import IncomingMessage, Key, Sender
from agent.limits.gauge import Gauge
from agent.tasks import Tasks
from agent.wire.refusal import Refusal

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

RETURN_WITHIN = 1.0
"""Seconds for which a conversation goes on without its owner. A client that reconnects takes its
own place: it leaves and joins at the same moment."""


class Conversations:
    """Opens conversations when they are needed, and releases those of people who leave.

    Args:
        open_conversation: makes one that is not started, with its store.
        refuse: notifies the sender of a message why it is not accepted.
        summaries: of the room's threads; closed with the conversations.
        on_stored: notifies this identity that their message with this id is stored, and at which
            position.
        is_present: whether somebody is in the room.
        private_conversations: counts those that are open.
        tenure: whether the agent may answer here.
    """

    def __init__(  # noqa: PLR0913 - its parts
        self,
        history: History,
        room: str,
        agent: Sender,
        *,
        open_conversation: Callable[[ConversationStore], Conversation],
        refuse: Callable[[IncomingMessage, Refusal], None],
        is_present: Callable[[str], bool],
        has_other_agent: Callable[[], bool],
        summaries: Summaries,
        private_conversations: Gauge,
        on_stored: Callable[[str, str, int | None], None],
        tenure: Tenure,
    ) -> None:
        self._history = history
        self._room = room
        self._agent = agent
        self._open_conversation = open_conversation
        self._refuse = refuse
        self._summaries = summaries
        self._on_stored = on_stored
        self._tenure = tenure
        self._is_present = is_present
        self._has_other_agent = has_other_agent
        self._private = private_conversations
        self._conversations: dict[str | None, Conversation] = {}
        self._started = False
        self._closing = asyncio.Event()
        self._tasks = Tasks()
        self._resuming: asyncio.Task[None] | None = None

    def of(self, message: IncomingMessage) -> Conversation:
        """The conversation that a message belongs to.

        Raises:
            Refusal: (400) a bad identity; (429) too many private conversations are open.
        """
        return self._of(message.sender.identity if message.private else None)

    @property
    def of_room(self) -> Conversation:
        """The room's own conversation."""
        return self._of(None)

    def private(self, owner: str) -> Conversation:
        """The private one of somebody; raises Refusal (400)."""
        return self._of(owner)

    @property
    def is_closing(self) -> bool:
        """Whether the agent leaves: nothing more will be said."""
        return self._closing.is_set()

    async def set_voice(self, voice: Voice | None) -> None:
        """Gives the room's own conversation a voice, or takes it away; private ones never have
        one."""
        await self._of(None).set_voice(voice)

    def start(self) -> None:
        """Begins to answer; questions left unanswered by an earlier worker come first."""
        self._started = True
        self._of(None)
        for conversation in self._conversations.values():
            conversation.start()
        self.resume_private()

    async def recalled(self) -> None:
        """Returns when the room's own conversation has loaded its history, or continues without
        it."""
        await self._of(None).recalled()

    def resume_private(self) -> None:
        """Opens the private conversations in which those who are here wait for an answer."""
        if self._started and (self._resuming is None or self._resuming.done()):
            self._resuming = self._tasks.start(
                self._resume_private(), name="resume private conversations"
            )

    @property
    def waiting(self) -> int:
        """The number of questions without a complete answer. For any thread."""
        return sum(len(self.under_way(owner)) for owner in list(self._conversations))

    def under_way(self, owner: str | None) -> list[Question]:
        """The questions that wait or are being answered, in the room's conversation or a private
        one."""
        conversation = self._conversations.get(owner)
        if conversation is None:
            return []
        answering = conversation.answering
        return [*([] if answering is None else [answering]), *conversation.waiting]

    def said_about(self, message: Key, owner: str | None) -> Sequence[llm.ChatItem]:
        """The model's answer to a message there, and its tool calls, while they are in the
        context."""
        conversation = self._conversations.get(owner)
        return () if conversation is None else conversation.said_about(message)

    def answering(self, owner: str | None) -> Question | None:
        """The question that is being answered there."""
        conversation = self._conversations.get(owner)
        return None if conversation is None else conversation.answering

    async def change(
        self, owner: str | None, work: Callable[[Changes], Coroutine[Any, Any, Result]]
    ) -> Result:
        """Changes a conversation. The change is completed even if the caller is cancelled.

        Raises:
            HistoryError, Refusal: see Changes; UnavailableError once the agent leaves.
        """
        if not self._started:
            raise UnavailableError("The agent is leaving.")
        changing = self._tasks.start(work(self._of(owner).changes), name="change", is_awaited=True)
        return await asyncio.shield(changing)

    async def summary(self, thread: ThreadKey) -> Summary | None:
        """A summary of a thread; None if it has no answered messages.

        Raises:
            HistoryError, SummaryError: see Summaries.
        """
        await self.settled()
        return await self._summaries.up_to_date(thread)

    async def forget(self, identity: str | None) -> list[str | None]:
        """Drops a participant's messages (None: everybody's) from the live conversations and from
        the summaries in progress. Call it before the store is erased and again afterwards, for
        messages that came meanwhile.

        Returns:
            The owners of the threads that were deleted as a whole.

        Raises:
            HistoryError: the store cannot be used.
        """
        gone: list[str | None] = []
        for owner in list(self._conversations):
            self._summaries.changed(ThreadKey(self._room, owner))
            if identity is None or identity == owner:
                await self.change(owner, lambda changes: changes.delete_all())
                gone.append(owner)
            else:
                await self.change(owner, partial(Changes.forget_author, identity=identity))
        return gone

    def renew_agent(self, name: str) -> None:
        """Applies the room's current instructions of an agent to all conversations."""
        for conversation in self._conversations.values():
            conversation.persona.renew(name)

    def release(self, identity: str) -> None:
        """Ends the private conversation of someone who is gone, unless they are back at once."""
        if identity in self._conversations:
            self._tasks.start(self._release(identity), name="release a conversation")

    def tell_model(self, owner: str | None, text: str) -> None:
        """Adds a note that the model reads with the next message, in the room's conversation (None)
        or in a private one that is open."""
        conversation = self._conversations.get(owner)
        if conversation is not None:
            conversation.tell_model(text)

    async def settled(self) -> None:
        """Returns when all that was said is stored, as far as it can be."""
        await asyncio.gather(*(each.settled() for each in self._conversations.values()))

    def give_up(self) -> list[IncomingMessage]:
        """Takes no more messages in turn; returns those that wait."""
        conversations = self._conversations.values()
        return list(chain.from_iterable(each.give_up() for each in conversations))

    async def aclose(self) -> list[IncomingMessage]:
        """Ends all of them; returns the messages that are left without an answer."""
        self._started = False
        self._closing.set()
        if self._resuming is not None:
            self._resuming.cancel()
        unanswered = await asyncio.gather(
            *(conversation.aclose() for conversation in self._conversations.values())
        )
        await self._summaries.aclose()
        await self._tasks.ended()
        for owner in self._conversations:
            if owner is not None:
                self._private.leave()
        return list(chain.from_iterable(unanswered))

    def _of(self, owner: str | None) -> Conversation:
        conversation = self._conversations.get(owner)
        if conversation is None:
            try:
                thread = ThreadKey(self._room, owner)
            except InvalidValueError as error:
                raise Refusal(400, f"{error}.") from None
            store = ConversationStore(
                self._history,
                thread,
                self._agent,
                summaries=self._summaries,
                refuse=self._refuse,
                on_stored=self._stored,
                tenure=self._tenure,
                has_other_agent=self._has_other_agent,
            )
            if owner is not None:
                self._private.check()
                self._private.enter()
            conversation = self._open_conversation(store)
            self._conversations[owner] = conversation
            if self._started:
                conversation.start()
        return conversation

    def _stored(self, message: IncomingMessage, position: int | None) -> None:
        self._on_stored(message.sender.identity, message.id, position)

    async def _release(self, identity: str) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RETURN_WITHIN):
                await self._closing.wait()
        if not self._is_present(identity):
            conversation = self._conversations.pop(identity, None)
            if conversation is not None:
                self._private.leave()
                await conversation.aclose()

    async def _resume_private(self) -> None:
        owners: set[str | None] | None = None
        while owners is None:
            await self._history.available()
            try:
                waiting = await self._history.unanswered(self._room)
                untold = await self._history.untold(self._room)
                owners = {each.message.thread.owner for each in waiting}
                owners |= {each.question.thread.owner for each in untold}
            except UnavailableError as error:
                logger.warning(
                    "history unavailable; private conversations will be resumed later: %s", error
                )
            except HistoryError as error:
                logger.warning("private conversations not resumed: %s", error)
                return
        for owner in owners:
            if owner is not None and self._started and self._is_present(owner):
                try:
                    self._of(owner)
                except Refusal as refusal:
                    logger.warning(
                        "private conversation not resumed, will retry at its next message: %s",
                        refusal,
                    )
