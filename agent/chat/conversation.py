"""Conversation: its context, its queue, and one answer to each message."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from livekit.agents import APIStatusError, llm

from agent.app.hooks import HookError
from agent.chat.active_answer import ActiveAnswer
from agent.chat.active_persona import ActivePersona
from agent.chat.answer_span import answer_span
from agent.chat.apology import apologise, give_up, log_failure, refuse
from agent.chat.begin_response import begin_response
from agent.chat.changes import Changes
from agent.chat.context import Context
from agent.chat.conversation_limits import ConversationLimits
from agent.chat.conversation_store import ConversationStore
from agent.chat.history_loader import HistoryLoader
from agent.chat.question import Question
from agent.chat.question_queue import QuestionQueue
from agent.chat.repeated_answers import RepeatedAnswers
from agent.chat.responder import Responder, TextResponder
from agent.chat.shown_in_answer import files_of, handoffs_of
from agent.chat.turn_hooks import TurnHooks
from agent.chat.voice import Voice
from agent.history.message import Attachment, FinishReason
from agent.inbox.message import IncomingMessage, Key, Sender
from agent.limits.gauge import Gauge
from agent.limits.room_limits import TokenMeter
from agent.models.finish_reason import CONTENT_FILTER
from agent.models.openai_errors import is_withheld
from agent.replies.reply_output import Ending
from agent.replies.reply_sink import ReplySink
from agent.replies.reply_stream import ReplyStream
from agent.tasks import Tasks, to_the_end
from agent.telemetry import log_fields
from agent.tool_calls.call_origin import TurnOrigin
from agent.tool_calls.conversation_tools import ConversationTools
from agent.wire.presence import Presence

logger = logging.getLogger(__name__)

RESTARTS = 3
"""Failures in a row that a conversation survives. After that the agent leaves the room, so that
people see that nobody is there to answer."""


class Conversation:
    """Answers messages one after the other, each exactly once. Senders take turns, and the
    messages of each sender keep their order.

    Answers are in writing, and spoken as well while the conversation has a voice.
    """

    def __init__(  # noqa: PLR0913 - the parts of a conversation
        self,
        *,
        persona: ActivePersona,
        hooks: TurnHooks | None,
        presence: Presence,
        open_reply: Callable[[Question, str | None], ReplyStream],
        open_copy: Callable[[Question], ReplyStream],
        store: ConversationStore,
        tools: ConversationTools,
        limits: ConversationLimits,
        tokens: TokenMeter,
        answers: Gauge,
        interrupt_on_message: bool,
        on_lost: Callable[[], None],
        on_answered: Callable[[ActiveAnswer, ReplyStream, Ending], None],
    ) -> None:
        self._persona = persona
        self._hooks = hooks
        self._presence = presence
        self._open_reply = open_reply
        self.repeated = RepeatedAnswers(
            store,
            open_reply=lambda question: open_reply(question, None),
            open_copy=open_copy,
            under_way=lambda: [*filter(None, [self.answering]), *self.waiting],
        )
        self._store = store
        self._tools = tools
        self._limits = limits
        self._interrupt_on_message = interrupt_on_message
        self._on_lost = on_lost
        self._on_answered = on_answered
        self._tokens = tokens
        self._waiting = QuestionQueue(limits.pending, answers)
        self._context = Context(limits.context)
        self._history_loader = HistoryLoader(store, self._context, self._waiting)
        self._history_loader.on_agent = persona.resume
        self._text = ReplySink(shows_reasoning=persona.assistant.shows_reasoning)
        self._text.on_step = self._on_text
        self._answering: ActiveAnswer | None = None
        self.changes = Changes(
            store=store,
            waiting=self._waiting,
            context=self._context,
            answering=lambda: self._answering,
            withdraw=self._withdraw,
            ready=self._history_loader.ready,
        )
        self._voice: Voice | None = None
        self._voice_set = asyncio.Event()
        self._tasks = Tasks()
        self._is_started = False

    @property
    def asker(self) -> Sender | None:
        """Whose message is being answered."""
        return None if self._answering is None else self._answering.question.message.sender

    @property
    def persona(self) -> ActivePersona:
        """The agent of the app that answers."""
        return self._persona

    @property
    def is_new(self) -> bool:
        """Whether nothing had been said when it was opened, as far as is known."""
        return bool(self._history_loader.is_new)

    @property
    def answering(self) -> Question | None:
        """What is being answered."""
        return None if self._answering is None else self._answering.question

    @property
    def waiting(self) -> list[Question]:
        """What is to be answered after that."""
        return self._waiting.questions

    @property
    def items(self) -> list[llm.ChatItem]:
        """What was said and done until now, as far as the model is told of it."""
        return self._context.items

    def said_about(self, message: Key) -> Sequence[llm.ChatItem]:
        """What the model said and did about a message, as far as it is still known."""
        return self._context.said_about(message)

    def submit(self, message: IncomingMessage) -> None:
        """Accepts a message: it is stored, and will have its answer unless it had one before.

        Raises:
            Refusal: (429) its sender has too many messages waiting already, or too many
                conversations are being answered; (400) a bad id.
        """
        sender = message.sender.identity
        self._waiting.check(sender)
        self._waiting.add(self._store.keep(message))
        if self._interrupt_on_message and self.asker and self.asker.identity == sender:
            self.interrupt()

    def overhear(self, message: IncomingMessage) -> None:
        """Takes note of a message that is for others: the model is told of it with the next one."""
        self._store.note(message)
        self._context.note(message)

    def speak(self, message: IncomingMessage, text: str | None) -> None:
        """Has the agent say something unasked, after what is being said.

        Args:
            message: stands for it, in the form OWN: its id is the segment's, its text what the
                model is instructed.
            text: what is said; None: the model finds it.

        Raises:
            Refusal: (429) too much waits to be said.
        """
        self._waiting.check(message.sender.identity)
        self._waiting.add(self._store.keep_own(message, text))

    def tell_model(self, text: str) -> None:
        """Has the model told something with the next message that it answers."""
        self._context.tell(text)

    async def set_voice(self, voice: Voice | None) -> None:
        """Hears and speaks from now on, or stops that; returns when an answer in progress is over,
        so that nothing is said with half a voice."""
        self._voice = voice
        self._voice_set.clear()
        self._waiting.wake()
        await self._voice_set.wait()

    def start(self) -> None:
        """Begins to answer; what was submitted before is answered first."""
        if self._is_started:
            return
        self._is_started = True
        self._tasks.keep(
            self._answer_all,
            name="conversation",
            restarts=RESTARTS,
            on_lost=self._on_lost,
            # A context of its own: what a session attaches to it must not reach its siblings.
            context=log_fields.separate_context(thread_id=self._store.thread.id),
        )

    async def recalled(self) -> None:
        """Returns when its past has been asked for, or it ends."""
        await self._history_loader.ready.wait()

    def interrupt(self) -> None:
        """Ends the answer in progress, if there is one; it finishes as `interrupted`."""
        if self._answering is not None:
            self._answering.stop("interrupted")

    async def aclose(self) -> list[IncomingMessage]:
        """Ends the answer in progress; returns what is left without an answer."""
        await self._tasks.aclose()
        await self.repeated.aclose()
        self._history_loader.ready.set()
        await self._store.settled()
        left = [question.message for question in self._waiting.questions]
        self._waiting.close()
        return left

    async def settled(self) -> None:
        """Returns when what was said until now is stored, as far as it can be."""
        await self._store.settled()

    async def _answer_all(self) -> None:
        try:
            await self._history_loader.recall()
            while True:
                await self._answer_some()
        finally:
            await self._history_loader.aclose()

    async def _answer_some(self) -> None:
        """Answers with one responder until it is time for another."""
        voice, agent = self._voice, self._persona.name
        assistant = self._persona.assistant
        # The seam for other kinds of agents: what makes the answers of one is a Responder.
        if voice is None:
            responder: Responder = TextResponder(assistant, self._text)
        else:
            responder = await voice.open_responder(assistant, self._text)
        if voice is self._voice:
            self._voice_set.set()
        try:
            while self._suits(responder, voice, agent):
                if self._history_loader.is_due:
                    await self._history_loader.recall()
                while self._history_loader.untold:
                    await self.repeated.tell_all(self._history_loader.untold.pop(0))
                if (question := await self._next()) is not None:
                    with answer_span(self._store.thread, question.message.id):
                        await self._answer(responder, question)
                    self._history_loader.summarise()
        finally:
            await to_the_end(responder.aclose())

    def _suits(self, responder: Responder, voice: Voice | None, agent: str) -> bool:
        """Whether to go on with a responder: each agent that is heard has a voice of its own."""
        is_same = voice is self._voice and (voice is None or agent == self._persona.name)
        return is_same and not responder.needs_replacement

    async def _next(self) -> Question | None:
        """The next one to answer; None if there is something else to look after."""
        while True:
            waiting = await self._waiting.first()
            if waiting is None:
                return None
            question = await self._store.begin(waiting)
            if self._history_loader.is_due:
                return None
            if not self._waiting.take(waiting):
                continue  # It was changed or withdrawn meanwhile.
            if question is not None:
                return question
            self._waiting.done(waiting)
            if waiting.message.wants_ack:
                self.repeated.send(waiting.message)

    async def _answer(self, responder: Responder, question: Question) -> None:
        reply = self._open_reply(question, self._persona.label)
        timeout = self._persona.persona.limits.answer_timeout
        answering = self._answering = ActiveAnswer(
            question,
            timeout=self._limits.answer_timeout if timeout is None else timeout,
            on_stop=self._tools.cancel,
        )
        self._text.begin(reply)
        self._presence.set(self, "thinking")
        reason: FinishReason | None = None
        try:
            reason = await self._respond(responder, answering, reply)
        except HookError as error:
            # Its reason is in the log.
            apologise(reply, error)
            reason = "error"
        except Exception:
            # The boundary around one answer: whatever went wrong, its asker is told, and the next
            # message is answered.
            logger.exception("answer failed; its asker is told, the next message is answered")
            apologise(reply, None)
            reason = "error"
        finally:
            reason = reason or answering.stopped or "interrupted"
            answering.stop(reason)
            self._text.end()
            await to_the_end(self._end(answering, reply, reason))
            self._presence.set(self, "listening")

    async def _end(self, answering: ActiveAnswer, reply: ReplyStream, reason: FinishReason) -> None:
        """Stores an answer, then tells its end."""
        # The first text does not share the processor with the store.
        await reply.begun()
        self._answering = None
        try:
            ending = self._keep_ending(
                answering.question, reply, reason, answering.heard, answering.attachments
            )
        finally:
            answering.end(reason)
        # An answer that was seen to end is stored: nobody gets it again, whoever is killed.
        await self._store.settled()
        await reply.finish(ending)
        self._store.answers.end_told(reply.segment_id)
        self._on_answered(answering, reply, ending)
        if self._hooks is not None and answering.turn is not None:
            self._tasks.start(
                self._hooks.after(
                    answering.turn, ending, self._persona.name, answering.question.segment_id
                ),
                name="after an answer",
            )

    async def _respond(
        self, responder: Responder, answering: ActiveAnswer, reply: ReplyStream
    ) -> FinishReason:
        reply.on_first_text = self._on_text
        reply.on_first_sent = lambda: self._store.begun(answering.question)
        question = answering.question
        message = question.message
        payer = "" if message.is_own else message.sender.identity
        if (refusal := await self._tokens.begin(payer)) is not None:
            self._context.note(message)
            refuse(reply, refusal)
            return "error"
        caller = await self._tools.begin_turn(
            TurnOrigin(
                identity=message.sender.identity,
                name=message.sender.name,
                message_id="" if message.is_own else message.id,
                position=message.answer_position,
                private=message.private,
                on_file=files_of(answering.attachments, reply),
                parts=lambda: reply.parts,
                hand_off=handoffs_of(self._persona, reply),
                segment_id=question.segment_id,
            ),
            result_bytes=self._context.result_bytes,
            on_call=lambda: self._presence.set(self, "thinking"),
        )
        self._persona.begin_turn()
        self._text.shows_reasoning = self._persona.assistant.shows_reasoning
        turn = None
        if self._hooks is not None and question.own_text is None:
            turn = answering.turn = await self._hooks.before(
                message, caller, self._persona, reply.parts.show
            )
        response = await begin_response(responder, self._context, question, turn)
        answering.attach(response)
        error = await response.done()
        self._context.end(message, response.said)
        if turn is not None and turn.refused:
            self._context.leave_out(message)
        if response.interrupted:
            if answering.timed_out:
                give_up(reply, answering.timeout)
            return answering.stopped or "interrupted"
        withheld = response.finish_reason == CONTENT_FILTER
        if error is not None or withheld or not reply.started:
            if not isinstance(error, HookError):
                log_failure(error, withheld=withheld)
            if isinstance(error, APIStatusError) and is_withheld(error):
                self._context.leave_out(message)
            apologise(reply, error, withheld=withheld)
            return "error"
        return "length" if response.finish_reason == "length" else "stop"

    async def _withdraw(self, question: Question) -> bool:
        """Ends a question before its answer begins; False if it had been answered before."""
        begun = await self._store.begin(question)
        if begun is None:
            self._waiting.done(question)
            return False
        self._context.note(begun.message)
        reply = self._open_reply(begun, self._persona.label)
        ending = self._keep_ending(begun, reply, "cancelled")
        await self._store.settled()
        await reply.finish(ending)
        self._store.answers.end_told(reply.segment_id)
        return True

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
        self._waiting.done(question)
        label = reply.agent = self._persona.label
        by = None if label is None else (label, self._persona.title)
        self._store.finish(question, ending, attachments, by)
        return ending

    def _on_text(self) -> None:
        # Text that was said before a call may be captured after the call has begun.
        if not self._tools.busy:
            self._presence.set(self, "speaking")
