"""SessionResponder: answers of livekit Agents, by an AgentSession that outlives them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Literal

from livekit.agents import (
    Agent,
    AgentSession,
    AgentTask,
    APIConnectOptions,
    CloseEvent,
    CloseReason,
    ConversationItemAddedEvent,
    ErrorEvent,
    SpeechCreatedEvent,
    StopResponse,
    llm,
)
from livekit.agents.voice import SpeechHandle
from livekit.agents.voice.agent_session import SessionConnectOptions

from agent.chat.item_times import end_by_now
from agent.chat.user_message import is_spoken
from agent.chat.voice import Voice
from agent.parts.handoff_part import show_handoff
from agent.sdk.room_realtime import realtime_session, take_turns, take_turns_of_next
from agent.sdk.session_run import SessionRun, begin, forget_events, give_llm, is_running
from agent.sessions.realtime_turns import RealtimeTurns, take_out
from agent.sessions.session_calls import SessionCalls
from agent.sessions.session_context import SessionContext, given_form
from agent.sessions.session_llm import SessionLLM
from agent.sessions.session_memory import SessionMemory
from agent.sessions.session_parts import SessionParts
from agent.sessions.session_report import report_of
from agent.sessions.session_response import SessionResponse
from agent.sessions.session_text import SessionText
from agent.sessions.session_voice import SessionVoice, turn_end_of
from agent.tasks import Tasks

logger = logging.getLogger(__name__)

ENTER_TIMEOUT: Final = 10.0
"""Seconds that messages wait for an agent's speech on entering."""

CLOSE_TIMEOUT: Final = 10.0
"""Seconds that a session has to end; its `on_exit` is part of that. Less if the process closes: see
agent.room.leaving."""

REOPENED_AFTER: Final = 15.0
"""Seconds after which a session that an error has closed is replaced, also where nobody writes: a
session that is closed hears nobody."""

NEVER: Final = 2**31
"""Failed answers after which a session closes (its own default is three)."""


class SessionResponder:
    """Leads a conversation by one session, in writing and aloud; see agent.chat.agent_sessions."""

    def __init__(self, name: str, parts: SessionParts) -> None:
        """`name`: of the agent of the app that begins."""
        self._name = self._began_as = name
        self._parts = parts
        self._began_at = 0.0
        self._text = SessionText(parts.reply, parts.wake)
        self._llm = SessionLLM(parts.persona.assistant)
        self._context = SessionContext()
        self._calls = SessionCalls(parts.tools)
        self._realtime = RealtimeTurns(parts.persona.assistant.tools)
        self._voice = SessionVoice(
            parts.persona.assistant, parts.reply, self._text, self._realtime.heard
        )
        self._memory = SessionMemory()
        self._job = parts.open_job()
        self._session: AgentSession[Any] | None = None
        self._first: Agent | None = None
        self._run: SessionRun | None = None
        self._speeches: list[SpeechHandle] = []
        self._failure: Exception | None = None
        self._trouble: llm.RealtimeModelError | None = None
        self._tasks = Tasks()
        self.has_entered = False

    @property
    def needs_replacement(self) -> bool:
        """Its session has ended, or could not begin."""
        return self.has_entered and (self._session is None or not is_running(self._session))

    @property
    def speaks(self) -> bool:
        """Whether it has begun to say something that nobody asked for."""
        return self._text.unasked.is_set()

    def leads(self, agent: str) -> bool:
        """Whether it answers for this agent of the app."""
        return agent == self._name

    async def enter(self, items: Sequence[llm.ChatItem], *, greets: bool) -> None:
        """Begins, unless it has: its agent enters a conversation, of these items. Returns when the
        agent is at rest or says something; unless it greets, nobody has that. A failure reaches the
        sender of the next message."""
        if self.has_entered:
            return
        self._text.drop(drops=not greets)
        try:
            with self._job.current():
                run = await self._open(items, aloud=greets)
        except Exception as error:
            # The boundary around the app's function, and its agent.
            logger.exception(
                "agent could not be created; its next message gets an error: %s", self._name
            )
            self._failure = error
            return
        rest = self._tasks.start(run.over(), name="entering")
        speech = self._tasks.start(self._text.unasked.wait(), name="speech of one who enters")
        await asyncio.wait(
            {rest, speech}, timeout=ENTER_TIMEOUT, return_when=asyncio.FIRST_COMPLETED
        )
        rest.cancel()
        speech.cancel()
        self._text.drop(drops=False)
        if self._session is not None and is_running(self._session):
            self._voice.turn_on()
        if not greets and self._session is not None:
            said = {item.id for item in self._memory.new_in(self._session.history)}
            await self._context.forget(said, self._session.history)

    async def set_voice(self, voice: Voice | None) -> None:
        """Hears and speaks from now on, or no longer does."""
        with self._job.current():
            await self._voice.set(voice)

    async def arrive(self, items: Sequence[llm.ChatItem]) -> SessionResponse:
        """Continues an answer that another agent of the app began, in a conversation of these
        items, and has handed over. Raises the exceptions of the app's function."""
        self._text.open()
        with self._job.current():
            run = await self._open(items)
        return self._response(self._answer_at_least(run))

    async def respond(
        self, before: llm.ChatContext, message: llm.ChatMessage, *, own: bool = False
    ) -> SessionResponse:
        session = self._running()
        agent = session.current_agent
        sound = await self._realtime.sound_of(agent, message)
        await self._context.bring(agent, before.items, session.history, sound=sound)
        await self._realtime.describe(agent, self._instructions)
        self._begin(session)
        if own:
            return self._response(self._follow(message.text_content or ""))
        if sound is None:
            self._context.know([message])
        given = given_form(message)
        assert isinstance(given, llm.ChatMessage)  # noqa: S101 - as `message` is
        self._memory.know([given])
        modality = "audio" if is_spoken(message) else "text"
        return self._response(self._take_turn(given, modality, sound))

    async def say(self, text: str) -> SessionResponse:
        session = self._running()
        self._begin(session)
        return self._response(self._speak(text))

    async def go_on(self) -> SessionResponse:
        """Takes over the answer that it has begun by itself."""
        session = self._running()
        self._trouble = None
        self._voice.begin()
        self._text.open()
        run = self._run
        if run is None or run.is_over:
            run = self._run = SessionRun(session)
            speech = session.current_speech
            self._speeches[:] = [] if speech is None else [speech]
            rest: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            rest.set_result(None)
            run.watch(rest if speech is None else speech)
        return self._response(run.over())

    async def aclose(self) -> None:
        try:
            if self._session is not None:
                await self._end_session(self._session)
        finally:
            # Also when this is cancelled because the process is closing.
            await self._voice.aclose()
            await self._tasks.aclose()
            await self._job.aclose()

    async def _end_session(self, session: AgentSession[Any]) -> None:
        try:
            with self._job.current():
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    await session.aclose()
        except TimeoutError:
            logger.warning("session of the agent %s left, it did not end in time", self._name)
        except Exception:  # The boundary around its plugins, and the app's own session.
            logger.exception("session of the agent %s failed to end", self._name)
        finally:
            self._parts.on_report(report_of(session, self._began_as, self._began_at))

    @property
    def _instructions(self) -> str | None:
        """The current ones of a Persona; None: a livekit Agent has its own."""
        maker = self._parts.makers.get(self._name)
        is_persona = maker is not None and maker.of_persona
        return self._parts.persona.assistant.instructions if is_persona else None

    def _running(self) -> AgentSession[Any]:
        """The session; raises what kept it from beginning, or a realtime model's end of it."""
        if self._failure is not None:
            raise self._failure
        assert self._session is not None  # noqa: S101 - it has entered
        if self._trouble is not None and not is_running(self._session):
            raise self._trouble.error
        return self._session

    async def _open(self, items: Sequence[llm.ChatItem], *, aloud: bool = True) -> SessionRun:
        """Makes the agent and begins the session; returns the run that `on_enter` belongs to.
        `aloud`: that is heard, if there is a voice."""
        self.has_entered = True
        session, agent = await self._parts.makers[self._name].make(self._parts.room)
        if self._instructions is not None:
            await agent.update_instructions(self._instructions)
        await self._parts.plugin_http.open()
        if session is None:
            session = AgentSession[Any](
                llm=self._llm,
                vad=None,
                turn_handling={"turn_detection": None},
                user_away_timeout=None,
                session_close_transcript_timeout=0.0,
                conn_options=SessionConnectOptions(
                    tts_conn_options=APIConnectOptions(
                        max_retry=1, retry_interval=0.5, timeout=10.0
                    ),
                    max_unrecoverable_errors=NEVER,
                ),
            )
        self._first = agent
        give_llm(session, self._llm)
        take_turns(session, agent, self._parts.plugin_http.context)
        session.tools.append(self._parts.persona.assistant.tools)
        session.output.transcription = self._text
        self._voice.lead(session, agent, aloud=aloud)
        session.on("conversation_item_added", self._on_item)
        session.on("speech_created", self._on_speech)
        session.on("error", self._on_error)
        session.on("close", self._on_close)
        self._calls.watch(session)
        if items:
            own = agent.chat_ctx.items
            context = llm.ChatContext([*own, *map(given_form, items)])
            end_by_now(context.items)
            await agent.update_chat_ctx(context, exclude_invalid_function_calls=False)
            self._context.know(items)
        self._context.meet(agent)
        self._run = run = SessionRun(session)
        await begin(session, agent)
        self._session, self._began_at = session, time.time()
        return run

    def _begin(self, session: AgentSession[Any]) -> None:
        self._trouble = None
        self._speeches.clear()
        self._run = SessionRun(session)
        self._parts.reply.open()
        self._voice.begin()
        self._text.open()

    def _response(self, work: Coroutine[Any, Any, None]) -> SessionResponse:
        session = self._running()
        return SessionResponse(
            session,
            self._tasks.start(
                work, name="answer of a session", is_awaited=True, context=self._job.context()
            ),
            speeches=self._speeches,
            said=lambda: self._memory.new_in(session.history),
            finish_reason=lambda: self._llm.finish_reason,
            trouble=lambda: self._trouble,
            heard=lambda: self._voice.heard(self._speeches),
            on_end=self._end,
        )

    def _end(self, *, interrupted: bool) -> None:
        """An answer has ended."""
        if not interrupted:
            self._voice.catch_up()
        self._text.close()
        if self._session is not None:
            said = self._memory.new_in(self._session.history)
            self._context.know(said)
            self._memory.keep(self._session.history)
            forget_events(self._session)

    async def _take_turn(
        self,
        message: llm.ChatMessage,
        modality: Literal["audio", "text"],
        sound: llm.ChatMessage | None,
    ) -> None:
        """Answers a message, as a session answers what was said to it."""
        async with self._until_begun() as session:
            agent = session.current_agent
            context = agent.chat_ctx.copy()
            known = take_out(sound, context)
            # Only now: the session puts items in order of their making, instructions as well.
            message.created_at = time.time()
            try:
                await turn_end_of(agent)(context, new_message=message)
            except StopResponse:
                return
            if realtime_session(agent) is None:
                session.generate_reply(
                    user_input=message, chat_ctx=context, input_modality=modality
                )
                return
            # Additions for this answer alone; other models are given them, and no agent has them.
            self._context.pass_by({item.id for item in context.items} - known)
            await self._realtime.ask(session, context, message, modality, sound)

    async def _follow(self, instruction: str) -> None:
        """Says something by an instruction that is not stored."""
        async with self._until_begun() as session:
            session.generate_reply(instructions=instruction)

    async def _speak(self, text: str) -> None:
        async with self._until_begun() as session:
            session.say(text)

    async def _answer_at_least(self, entering: SessionRun) -> None:
        """Makes an agent that entered silently answer its input."""
        await entering.over()
        session = self._running()
        if not self._speeches:
            self._run = SessionRun(session)
            async with self._until_begun():
                session.generate_reply()

    @asynccontextmanager
    async def _until_begun(self) -> AsyncGenerator[AgentSession[Any]]:
        """Wraps the start of a run, which otherwise has nothing to wait for yet."""
        run = self._run
        assert run is not None  # noqa: S101 - see `_begin`
        begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        run.watch(begun)
        try:
            yield self._running()
        finally:
            begun.set_result(None)
        await run.over()

    def _on_error(self, event: ErrorEvent) -> None:
        if isinstance(event.error, llm.RealtimeModelError):
            self._trouble = event.error

    def _on_close(self, event: CloseEvent) -> None:
        if event.reason is CloseReason.ERROR:
            self._tasks.start(self._ask_for_another(), name="return of a session")

    async def _ask_for_another(self) -> None:
        await asyncio.sleep(REOPENED_AFTER)
        self._parts.wake()

    def _on_speech(self, event: SpeechCreatedEvent) -> None:
        self._speeches.append(event.speech_handle)

    def _on_item(self, event: ConversationItemAddedEvent) -> None:
        if event.item.type == "agent_handoff" and self._session is not None:
            self._meet(self._session.current_agent)

    def _meet(self, agent: Agent) -> None:
        """Another agent answers from now on. One that has a task to do answers for its own."""
        if self._session is not None:
            take_turns_of_next(self._session, agent, self._parts.plugin_http.context)
        self._context.meet(agent)
        self._voice.meet(agent)
        if isinstance(agent, AgentTask):
            return
        persona = self._parts.persona
        makers = self._parts.makers.items()
        of_app = next((name for name, maker in makers if maker.makes(type(agent))), None)
        if agent is self._first:
            # A function made it: its class says nothing.
            of_app = self._began_as
        former = persona.label
        persona.acts_as(of_app, agent.id)
        self._name = persona.name
        reply = self._parts.reply.reply
        if reply is not None and former is not None and persona.label is not None:
            show_handoff(reply.parts, former, persona.label)
