"""Answerer: answers a question, stores the answer, and reports how it ended."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from livekit.agents import APIStatusError

from agent.app.hooks import HookError
from agent.chat.active_answer import ActiveAnswer
from agent.chat.active_persona import ActivePersona
from agent.chat.agent_sessions import AgentSessions
from agent.chat.apology import apologise, give_up, log_failure, refuse
from agent.chat.begin_response import begin_response
from agent.chat.context import Context
from agent.chat.conversation_store import ConversationStore
from agent.chat.question import Question
from agent.chat.question_queue import QuestionQueue
from agent.chat.responder import Responder
from agent.chat.shown_in_answer import files_of, handoffs_of
from agent.chat.turn_hooks import TurnHooks
from agent.contract.finish_reason import FinishReason
from agent.history.message import Attachment
from agent.limits.room_limits import TokenMeter
from agent.models.finish_reason import CONTENT_FILTER
from agent.models.openai_errors import is_withheld
from agent.replies.reply_output import Ending
from agent.replies.reply_sink import ReplySink
from agent.replies.reply_stream import ReplyStream
from agent.tasks import Tasks, to_the_end
from agent.tool_calls.call_origin import TurnOrigin
from agent.tool_calls.conversation_tools import ConversationTools
from agent.wire.presence import Presence

logger = logging.getLogger(__name__)


class Answerer:
    """Answers the questions of one conversation, one at a time.

    Attributes:
        active: the answer in progress.
        text: the sink for written text; responders write the answer in progress to it.
    """

    def __init__(  # noqa: PLR0913 - the parts of an answer
        self,
        *,
        persona: ActivePersona,
        hooks: TurnHooks | None,
        presence: Presence,
        open_reply: Callable[[Question, str | None], ReplyStream],
        store: ConversationStore,
        context: Context,
        waiting: QuestionQueue,
        tools: ConversationTools,
        tokens: TokenMeter,
        timeout: float,
        tasks: Tasks,
        sessions: AgentSessions,
        on_answered: Callable[[ActiveAnswer, ReplyStream, Ending], None],
    ) -> None:
        """
        Args:
            timeout: seconds for one answer, where the persona has no timeout of its own.
            tasks: the conversation's tasks; the app's hooks after an answer run among them.
            sessions: of agents that an answer may be handed to.
        """
        self._persona = persona
        self._hooks = hooks
        self._presence = presence
        self._open_reply = open_reply
        self._store = store
        self._context = context
        self._waiting = waiting
        self._tools = tools
        self._tokens = tokens
        self._timeout = timeout
        self._tasks = tasks
        self._sessions = sessions
        self._on_answered = on_answered
        self.active: ActiveAnswer | None = None
        self.text = ReplySink(shows_reasoning=persona.assistant.shows_reasoning)
        self.text.on_step = self._on_text

    async def answer(self, responder: Responder, question: Question) -> None:
        reply = self._open_reply(question, self._persona.label)
        timeout = self._persona.persona.limits.answer_timeout
        answering = self.active = ActiveAnswer(
            question,
            timeout=self._timeout if timeout is None else timeout,
            on_stop=self._tools.cancel,
        )
        self.text.begin(reply)
        self._presence.set(self, "thinking")
        reason: FinishReason | None = None
        try:
            reason = await self._respond(responder, answering, reply)
        except HookError as error:
            # Its reason is in the log.
            apologise(reply, error)
            reason = "error"
        except Exception as error:
            # The boundary around one answer: its asker gets an error message, and the next message
            # is answered.
            logger.exception(
                "answer failed; its asker gets an error message, other messages are unaffected"
            )
            apologise(reply, error)
            reason = "error"
        finally:
            reason = reason or answering.stopped or "interrupted"
            answering.stop(reason)
            self.text.end()
            await to_the_end(self._end(answering, reply, reason))
            self._presence.set(self, "listening")

    async def _end(self, answering: ActiveAnswer, reply: ReplyStream, reason: FinishReason) -> None:
        """Stores an answer, then sends its end."""
        # The first text does not share the processor with the store.
        await reply.begun()
        self.active = None
        try:
            ending = self._keep_ending(
                answering.question, reply, reason, answering.heard, answering.attachments
            )
        finally:
            answering.end(reason)
        # An answer is stored before its end is sent: a worker that takes over does not repeat it.
        await self._store.settled()
        if await reply.finish(ending):
            self._store.answers.end_sent(reply.segment_id)
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
                generation=message.generation,
            ),
            result_bytes=self._context.result_bytes,
            on_call=lambda: self._presence.set(self, "thinking"),
        )
        self._persona.begin_turn()
        for part in question.parts:
            reply.parts.show(part)
        self.text.shows_reasoning = self._persona.assistant.shows_reasoning
        turn = None
        if self._hooks is not None and question.own_text is None and question.begun is None:
            turn = answering.turn = await self._hooks.before(
                message, caller, self._persona, reply.parts.show
            )
        leader = self._persona.in_session
        response = await begin_response(responder, self._context, question, turn)
        answering.attach(response)
        error = await response.done()
        self._context.end(message, response.said)
        if error is None and not response.interrupted and self._persona.in_session and not leader:
            former = response.said
            session = await self._sessions.of(self._persona.name)
            response = await session.arrive(self._context.items)
            answering.attach(response)
            error = await response.done()
            self._context.end(message, [*former, *response.said])
        if turn is not None and turn.refused:
            self._context.leave_out(message)
        if response.interrupted:
            if answering.timed_out:
                give_up(reply, answering.timeout)
            return answering.stopped or "interrupted"
        withheld = response.finish_reason == CONTENT_FILTER
        is_whole = reply.started or response.may_be_silent
        if error is not None or withheld or not is_whole:
            if not isinstance(error, HookError):
                log_failure(error, withheld=withheld)
            if isinstance(error, APIStatusError) and is_withheld(error):
                self._context.leave_out(message)
            apologise(reply, error, withheld=withheld)
            return "error"
        return "length" if response.finish_reason == "length" else "stop"

    async def withdraw(self, question: Question) -> bool:
        """Ends a question before its answer begins; False if it had been answered before."""
        begun = await self._store.begin(question)
        if begun is None:
            self._waiting.done(question)
            return False
        self._context.note(begun.message)
        reply = self._open_reply(begun, self._persona.label)
        ending = self._keep_ending(begun, reply, "cancelled")
        await self._store.settled()
        if await reply.finish(ending):
            self._store.answers.end_sent(reply.segment_id)
        return True

    def _keep_ending(
        self,
        question: Question,
        reply: ReplyStream,
        reason: FinishReason,
        heard: str | None = None,
        attachments: Sequence[Attachment] = (),
    ) -> Ending:
        """Begins to store how an answer ended: with all its text, or with the part that was
        heard."""
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
