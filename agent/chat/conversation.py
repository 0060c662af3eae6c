"""Conversation: its context, its queue, and one answer to each message."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from livekit.agents import llm

from agent.chat.active_answer import ActiveAnswer
from agent.chat.active_persona import ActivePersona
from agent.chat.agent_sessions import AgentSessions, LeadingResponder
from agent.chat.answer_span import answer_span
from agent.chat.answerer import Answerer
from agent.chat.changes import Changes
from agent.chat.context import Context
from agent.chat.conversation_limits import ConversationLimits
from agent.chat.conversation_store import ConversationStore
from agent.chat.history_loader import HistoryLoader
from agent.chat.question import Question, own_message
from agent.chat.question_queue import QuestionQueue
from agent.chat.repeated_answers import RepeatedAnswers
from agent.chat.responder import Responder, TextResponder
from agent.chat.turn_hooks import TurnHooks
from agent.chat.voice import Voice
from agent.inbox.message import IncomingMessage, Key, Sender
from agent.limits.gauge import Gauge
from agent.limits.room_limits import TokenMeter
from agent.replies.reply_output import Ending
from agent.replies.reply_sink import ReplySink
from agent.replies.reply_stream import ReplyStream
from agent.tasks import Tasks, to_the_end
from agent.telemetry import log_fields
from agent.tool_calls.conversation_tools import ConversationTools
from agent.wire.presence import Presence
from toolkit.handoff import Handoff
from toolkit.parts import ShownPart

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
        open_session: Callable[[str, ReplySink, Callable[[], None]], LeadingResponder],
        on_lost: Callable[[], None],
        on_answered: Callable[[ActiveAnswer, ReplyStream, Ending], None],
    ) -> None:
        self._persona = persona
        self.repeated = RepeatedAnswers(
            store,
            open_reply=lambda question: open_reply(question, None),
            open_copy=open_copy,
            under_way=lambda: [*filter(None, [self.answering]), *self.waiting],
        )
        self._store = store
        self._interrupt_on_message = interrupt_on_message
        self._on_lost = on_lost
        self._waiting = QuestionQueue(limits.pending, answers)
        self._context = Context(limits.context)
        self._history_loader = HistoryLoader(store, self._context, self._waiting)
        self._history_loader.on_agent = persona.resume
        self._tasks = Tasks()
        self._sessions = AgentSessions(
            lambda agent: open_session(agent, self._answerer.text, self._waiting.wake)
        )
        self._may_greet = False
        self._greeted = set[str]()
        """Agents that have said something unasked: a session that follows greets nobody again."""
        self._answerer = Answerer(
            persona=persona,
            hooks=hooks,
            presence=presence,
            open_reply=open_reply,
            store=store,
            context=self._context,
            waiting=self._waiting,
            tools=tools,
            tokens=tokens,
            timeout=limits.answer_timeout,
            tasks=self._tasks,
            sessions=self._sessions,
            on_answered=on_answered,
        )
        self.changes = Changes(
            store=store,
            waiting=self._waiting,
            context=self._context,
            answering=lambda: self._answerer.active,
            withdraw=self._answerer.withdraw,
            ready=self._history_loader.ready,
        )
        self._voice: Voice | None = None
        self._voice_set = asyncio.Event()
        self._is_started = False

    @property
    def asker(self) -> Sender | None:
        """The sender of the message that is being answered."""
        question = self.answering
        return None if question is None else question.message.sender

    @property
    def persona(self) -> ActivePersona:
        """The agent of the app that answers."""
        return self._persona

    @property
    def is_new(self) -> bool:
        """Whether it had no history when it was opened, as far as is known."""
        return bool(self._history_loader.is_new)

    @property
    def answering(self) -> Question | None:
        """The question that is being answered."""
        active = self._answerer.active
        return None if active is None else active.question

    @property
    def waiting(self) -> list[Question]:
        """The questions that wait."""
        return self._waiting.questions

    @property
    def items(self) -> list[llm.ChatItem]:
        """The model's context: messages, answers, tool calls and their results."""
        return self._context.items

    def said_about(self, message: Key) -> Sequence[llm.ChatItem]:
        """The model's answer to a message, and its tool calls, while they are in the context."""
        return self._context.said_about(message)

    def submit(self, message: IncomingMessage) -> None:
        """Accepts a message: stores it, and answers it unless it has an answer already.

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
        """Notes a message that is for others: the model reads it with the next question."""
        self._store.note(message)
        self._context.note(message)

    def speak(
        self, message: IncomingMessage, text: str | None, parts: tuple[ShownPart, ...] = ()
    ) -> None:
        """Says something unasked, after the answer in progress.

        Args:
            message: of the form OWN; its id is the segment's, its text the instruction for the
                model.
            text: the text to say; None: the model writes it.
            parts: shown in the answer from its beginning.

        Raises:
            Refusal: (429) too many unasked answers wait.
        """
        self._waiting.check(message.sender.identity)
        self._waiting.add(self._store.keep_own(message, text, parts))

    def hand_off(self, handoff: Handoff) -> None:
        """Hands it to another agent, from the next message on. Raises NotFound."""
        self.tell_model(self._persona.hand_off(handoff))
        self._waiting.wake()

    def tell_model(self, text: str) -> None:
        """Adds a note that the model reads with its next question."""
        self._context.tell(text)

    def tell_result(self, told: str, result: str) -> None:
        """Adds such a note about the result of a call, which is cut where it is too long."""
        self._context.tell_result(told, result)

    def enter(self) -> None:
        """Notes that somebody is present whom its agent may greet, if it is a livekit Agent."""
        self._may_greet = True
        self._waiting.wake()

    async def set_voice(self, voice: Voice | None) -> None:
        """Turns hearing and speaking on or off; returns once an answer in progress is over, since
        the voice does not change within an answer."""
        self._voice = voice
        self._voice_set.clear()
        self._waiting.wake()
        await self._voice_set.wait()

    def start(self) -> None:
        """Begins to answer, oldest questions first."""
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
        """Returns once its history has been requested, or the conversation has ended."""
        await self._history_loader.ready.wait()

    def interrupt(self) -> None:
        """Ends the answer in progress, if there is one; it finishes as `interrupted`."""
        if self._answerer.active is not None:
            self._answerer.active.stop("interrupted", force=False)

    def give_up(self) -> list[IncomingMessage]:
        """Begins no further answer; returns the messages that wait for one."""
        return [question.message for question in self._waiting.give_up()]

    async def aclose(self) -> list[IncomingMessage]:
        """Ends the answer in progress; returns the messages left without an answer, without those
        that were given up."""
        await self._tasks.aclose()
        await self.repeated.aclose()
        self._history_loader.ready.set()
        await self._store.settled()
        self._store.answers.note_ends()
        left = self.give_up()
        self._waiting.close()
        return left

    async def settled(self) -> None:
        """Returns once all messages so far are stored, as far as the store accepts them."""
        await self._store.settled()

    async def _answer_all(self) -> None:
        try:
            await self._history_loader.recall()
            while True:
                await self._answer_some()
        finally:
            await self._sessions.aclose()
            await self._history_loader.aclose()

    async def _answer_some(self) -> None:
        """Answers with one responder until another one is needed."""
        voice, agent = self._voice, self._persona.name
        assistant = self._persona.assistant
        session: LeadingResponder | None = None
        responder: Responder
        if self._persona.in_session:
            responder = session = await self._sessions.of(agent)
            await session.set_voice(voice)
        elif voice is None:
            responder = TextResponder(assistant, self._answerer.text)
        else:
            responder = await voice.open_responder(assistant, self._answerer.text)
        if voice is self._voice:
            self._voice_set.set()
        try:
            while self._suits(responder, session, voice, agent):
                if self._history_loader.is_due:
                    await self._history_loader.recall()
                while self._history_loader.untold:
                    await self.repeated.tell_all(self._history_loader.untold.pop(0))
                if session is not None:
                    await self._look_after(session)
                if (question := await self._next()) is not None:
                    with answer_span(self._store.thread, question.message.id):
                        await self._answerer.answer(responder, question)
                    self._history_loader.summarise()
        finally:
            # A session lives on, as long as its agent answers.
            if session is None:
                await to_the_end(responder.aclose())

    def _suits(
        self,
        responder: Responder,
        session: LeadingResponder | None,
        voice: Voice | None,
        agent: str,
    ) -> bool:
        """Whether a responder can go on: each speaking agent has a voice of its own."""
        if responder.needs_replacement or voice is not self._voice:
            return False
        persona = self._persona
        if session is not None:
            return persona.in_session and session.leads(persona.name)
        return not persona.in_session and (voice is None or agent == persona.name)

    async def _look_after(self, session: LeadingResponder) -> None:
        """Starts a session when it is due, and queues its unasked answers."""
        if self._may_greet or self._waiting.questions:
            greets = self._may_greet and self.is_new and self._persona.name not in self._greeted
            await session.enter(self._context.items, greets=greets)
        if session.speaks:
            self._greeted.add(self._persona.name)
        if session.speaks and all(each.begun is None for each in self._waiting.questions):
            question = self._store.keep_own(
                own_message(self._store.thread, self._store.agent), None
            )
            self._waiting.add_older([replace(question, begun=session.go_on)])

    async def _next(self) -> Question | None:
        """The next question to answer; None if something else is due first."""
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
