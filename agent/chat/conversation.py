"""Conversation: one AgentSession with its context, its queue, and one answer to each message."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from livekit.agents import AgentSession, APIConnectOptions, llm
from livekit.agents.voice.agent_session import SessionConnectOptions

from agent.calls.conversation_tools import ConversationTools
from agent.chat.answering import Answering
from agent.chat.changes import Changes
from agent.chat.context import Context, ContextLimits
from agent.chat.failure import sentence_for
from agent.chat.memory import Memory, Question
from agent.chat.message import IncomingMessage, Sender
from agent.chat.recollection import Recollection
from agent.chat.reply_output import Ending, FinishReason
from agent.chat.reply_stream import ReplyStream
from agent.chat.reply_text import ReplyText
from agent.chat.voice import SessionVoice, Voice
from agent.chat.waiting import Waiting
from agent.history.message import Attachment
from agent.models.assistant import Assistant
from agent.models.finish_reason import FinishReasons
from agent.settings import Settings
from agent.wire.presence import Presence

logger = logging.getLogger(__name__)

OpenAssistant = Callable[[Callable[[Mapping[str, Any]], Assistant] | None], Assistant]
"""Makes the Assistant of a session; of one that hears and speaks by what makes such an Assistant
of the options of Assistant."""

WITHOUT_VOICE: Mapping[str, Any] = {"vad": None, "turn_handling": {"turn_detection": None}}
"""Options of a session that neither hears nor speaks."""

NEVER = 2**31
"""Failed answers after which the session gives up (its own default is three)."""

RENEW_AFTER = 200
"""Answers after which the conversation goes on with a fresh session."""


@dataclass(frozen=True, slots=True)
class ConversationLimits:
    """Bounds of one conversation.

    Attributes:
        pending: messages that one person may have waiting.
        context: what the model is given.
        timeout: seconds of silence from the model after which an answer has failed.
    """

    pending: int
    context: ContextLimits
    timeout: float

    @classmethod
    def of(cls, settings: Settings) -> ConversationLimits:
        return cls(
            pending=settings.max_pending_messages,
            context=ContextLimits(settings.max_context_messages, settings.max_context_tokens),
            timeout=settings.llm_timeout,
        )


class Conversation:
    """Answers messages one after the other, each exactly once, in the order they came.

    The session runs headless, without RoomIO; it is what tools, MCP and telemetry hang on. It
    hears and speaks as long as the conversation has a voice.
    """

    def __init__(  # noqa: PLR0913 - the parts of a conversation
        self,
        *,
        open_assistant: OpenAssistant,
        presence: Presence,
        open_reply: Callable[[Question], ReplyStream],
        memory: Memory,
        tools: ConversationTools,
        limits: ConversationLimits,
        interrupt_on_message: bool,
        on_crash: Callable[[], None],
    ) -> None:
        self._open_assistant = open_assistant
        self._presence = presence
        self._open_reply = open_reply
        self._memory = memory
        self._tools = tools
        self._limits = limits
        self._interrupt_on_message = interrupt_on_message
        self._on_crash = on_crash
        self._waiting = Waiting(limits.pending)
        self._context = Context(limits.context)
        self._recollection = Recollection(memory, self._context, self._waiting)
        self._text = ReplyText()
        self._text.on_step = self._on_text
        self._answering: Answering | None = None
        self.changes = Changes(
            memory=memory,
            waiting=self._waiting,
            context=self._context,
            answering=lambda: self._answering,
            withdraw=self._withdraw,
            ready=self._recollection.ready,
        )
        self._voice: Voice | None = None
        self._session_voice: SessionVoice | None = None
        self._voice_set = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def asker(self) -> Sender | None:
        """Whose message is being answered."""
        return None if self._answering is None else self._answering.question.message.sender

    @property
    def answering(self) -> Question | None:
        """What is being answered."""
        return None if self._answering is None else self._answering.question

    @property
    def waiting(self) -> list[Question]:
        """What is to be answered after that."""
        return self._waiting.questions

    def submit(self, message: IncomingMessage) -> None:
        """Accepts a message: it is stored, and will have its answer unless it had one before.

        Raises:
            Refusal: (429) its sender has too many messages waiting already; (400) a bad id.
        """
        sender = message.sender.identity
        self._waiting.check(sender)
        self._waiting.add(self._memory.keep(message))
        if self._interrupt_on_message and self.asker and self.asker.identity == sender:
            self.interrupt()

    def overhear(self, message: IncomingMessage) -> None:
        """Takes note of a message that is for others: the model is told of it with the next one."""
        self._memory.note(message)
        self._context.note(message)

    def tell_model(self, text: str) -> None:
        """Has the model told something with the next message that it answers."""
        self._context.tell(text)

    async def set_voice(self, voice: Voice | None) -> None:
        """Hears and speaks from now on, or stops that; returns when an answer in progress is over.

        The conversation goes on with a fresh session, so that nothing is said with half a voice.
        """
        self._voice = voice
        self._voice_set.clear()
        self._waiting.wake()
        await self._voice_set.wait()

    def start(self) -> None:
        """Begins to answer; what was submitted before is answered first."""
        if self._task is not None:
            return
        # A context of its own: what the session attaches to it must not reach its siblings.
        self._task = asyncio.create_task(
            self._answer_all(), name="conversation", context=contextvars.Context()
        )
        self._task.add_done_callback(self._on_done)

    def interrupt(self) -> None:
        """Ends the answer in progress, if there is one; it finishes as `interrupted`."""
        if self._answering is not None:
            self._answering.stop("interrupted")

    async def aclose(self) -> list[IncomingMessage]:
        """Ends the answer in progress and the session; returns what is left without an answer."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._recollection.ready.set()
        await self._memory.settled()
        return [question.message for question in self._waiting.questions]

    async def settled(self) -> None:
        """Returns when what was said until now is stored, as far as it can be."""
        await self._memory.settled()

    def _on_done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a conversation broke down", exc_info=error)
            self._on_crash()

    async def _answer_all(self) -> None:
        try:
            await self._recollection.recall()
            while True:
                await self._answer_some()
        finally:
            await self._recollection.aclose()

    async def _answer_some(self) -> None:
        """Answers with one session until it is time for a fresh one.

        A session keeps every event and every item of its history for good, so a conversation
        that goes on for days needs a new one from time to time; and it has a voice for all of
        its life or not at all. Starting one takes about 2 ms.
        """
        voice = self._voice
        parts = self._session_voice = voice.open_session(self._text) if voice else None
        session = AgentSession[None](
            **(parts.options if parts else WITHOUT_VOICE),
            user_away_timeout=None,
            conn_options=SessionConnectOptions(
                llm_conn_options=APIConnectOptions(max_retry=0, timeout=self._limits.timeout),
                tts_conn_options=APIConnectOptions(max_retry=1, retry_interval=0.5, timeout=10.0),
                max_unrecoverable_errors=NEVER,
            ),
        )
        assistant = self._open_assistant(parts.assistant if parts else None)
        if parts is not None:
            parts.attach(session)
        else:
            assistant.text = self._text
        await session.start(assistant, record=False, session_host=False)
        if voice is self._voice:
            self._voice_set.set()
        try:
            answers = 0
            while voice is self._voice and (
                (voice is not None and voice.is_listening)
                or (
                    answers < RENEW_AFTER
                    and len(session.history.items) <= self._limits.context.items
                )
            ):
                if self._recollection.is_due:
                    await self._recollection.recall()
                if (question := await self._next()) is not None:
                    await self._answer(session, question)
                    self._recollection.summarise()
                    answers += 1
        finally:
            await _to_the_end(_close(session, parts))

    async def _next(self) -> Question | None:
        """The next one to answer; None if there is something else to look after."""
        while True:
            waiting = await self._waiting.first()
            if waiting is None:
                return None
            question = await self._memory.begin(waiting)
            if self._recollection.is_due:
                return None
            if not self._waiting.take(waiting):
                continue  # It was changed or withdrawn meanwhile.
            if question is not None:
                return question
            self._waiting.done(waiting)

    async def _answer(self, session: AgentSession[None], question: Question) -> None:
        reply = self._open_reply(question)
        answering = self._answering = Answering(question, on_stop=self._tools.cancel)
        self._text.begin(reply)
        if self._session_voice is not None:
            self._session_voice.begin()
        self._presence.set(self, "thinking")
        reason: FinishReason | None = None
        try:
            reason = await self._generate(session, answering, reply)
        except Exception:
            # The boundary around one answer: whatever went wrong, its asker is told, and the next
            # message is answered.
            logger.exception("an answer failed")
            self._apologise(reply, None)
            reason = "error"
        finally:
            reason = reason or answering.stopped or "interrupted"
            answering.stop(reason)
            self._text.end()
            self._answering = None
            try:
                heard = self._heard(answering)
                ending = self._keep_ending(question, reply, reason, heard, answering.attachments)
            finally:
                answering.end(reason)
            # An answer that was seen to end is stored: nobody gets it again, whoever is killed.
            await self._memory.settled()
            await reply.finish(ending)
            self._presence.set(self, "listening")

    async def _withdraw(self, question: Question) -> bool:
        """Ends a question before its answer begins; False if it had been answered before."""
        begun = await self._memory.begin(question)
        if begun is None:
            self._waiting.done(question)
            return False
        self._context.note(begun.message)
        reply = self._open_reply(begun)
        ending = self._keep_ending(begun, reply, "cancelled")
        await self._memory.settled()
        await reply.finish(ending)
        return True

    def _heard(self, answering: Answering) -> str | None:
        """Of an answer that was stopped while it was spoken: what had been said by then."""
        if self._session_voice is None or answering.stopped not in {"interrupted", "cancelled"}:
            return None
        return answering.said

    def _keep_ending(
        self,
        question: Question,
        reply: ReplyStream,
        reason: FinishReason,
        heard: str | None = None,
        attachments: Sequence[Attachment] = (),
    ) -> Ending:
        """Begins to store how an answer ended: as what has been said so far, or heard of it."""
        ending = reply.ending(reason, heard)
        reply.on_first_sent = None  # It is stored as a whole, and need not be noted as begun.
        self._waiting.done(question)
        self._memory.finish(question, ending, attachments)
        return ending

    async def _generate(
        self, session: AgentSession[None], answering: Answering, reply: ReplyStream
    ) -> FinishReason:
        message = answering.question.message
        await self._offer_tools(answering)
        agent = session.current_agent
        before = self._context.before(message)
        await agent.update_chat_ctx(before)
        # Only now: the session puts items in order of their making, instructions as well.
        read = self._context.note(message)
        reply.on_first_text = self._on_text
        reply.on_first_sent = lambda: self._memory.begun(answering.question)
        with FinishReasons() as finish_reasons:
            handle = session.generate_reply(user_input=read, input_modality="text")
            answering.attach(handle)
            await handle
        if self._session_voice is not None and not handle.interrupted:
            self._session_voice.end()
        known = {read.id, *(item.id for item in before.items)}
        items = agent.chat_ctx.copy(exclude_instructions=True).items
        said = [item for item in items if item.id not in known]
        if self._session_voice is None and (rest := self._text.unfinished):
            # The session is told of a step at its end, and this one has none.
            said.append(llm.ChatMessage(role="assistant", content=[rest], interrupted=True))
        self._context.end(message, said)
        if handle.interrupted:
            return answering.stopped or "interrupted"
        error = handle.exception()
        if error is not None or not reply.started:
            logger.warning("the model failed: %s", type(error).__name__ if error else "no answer")
            self._apologise(reply, error)
            return "error"
        return "length" if finish_reasons.last == "length" else "stop"

    async def _offer_tools(self, answering: Answering) -> None:
        message = answering.question.message
        await self._tools.begin_turn(
            message.sender.identity,
            message.sender.name,
            message_id=message.id,
            private=message.private,
            on_call=lambda: self._presence.set(self, "thinking"),
            on_file=answering.attachments.append,
        )

    def _on_text(self) -> None:
        # Text that was said before a call may be captured after the call has begun.
        if not self._tools.busy:
            self._presence.set(self, "speaking")

    def _apologise(self, reply: ReplyStream, error: BaseException | None) -> None:
        said = reply.started
        reply.push(("\n\n" if said else "") + sentence_for(error, said=said))


async def _close(session: AgentSession[None], voice: SessionVoice | None) -> None:
    await session.aclose()
    if voice is not None:
        await voice.aclose()


async def _to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Does something that must not be left half done, also when it is to be cancelled meanwhile."""
    task = asyncio.create_task(work, name="close session")
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
