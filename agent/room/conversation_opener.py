"""ConversationOpener: opens a room's conversations, and the replies that they write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from livekit import rtc
from livekit.agents.llm import CompletionUsage

from agent.app.app import App
from agent.app.persona import Models
from agent.chat.active_answer import ActiveAnswer
from agent.chat.active_persona import ActivePersona
from agent.chat.agent_sessions import LeadingResponder
from agent.chat.answer_record import AnswerRecord
from agent.chat.conversation import Conversation
from agent.chat.conversation_limits import ConversationLimits
from agent.chat.conversation_store import ConversationStore
from agent.chat.question import Question
from agent.chat.turn_hooks import TurnHooks
from agent.config.settings import Settings
from agent.files.files import Files
from agent.history.message import ThreadKey
from agent.inbox.own_answers import OwnAnswers
from agent.limits.room_limits import RoomLimits, TokenMeter
from agent.models.asked_llm import AskedLLM
from agent.models.plugin_http import PluginHttp
from agent.models.retrying_llm import RetryingLLM
from agent.models.usage import UsageTally
from agent.models.usage_count import UsageCount
from agent.parts.answer_parts import AnswerParts
from agent.parts.part_actions import PartActions
from agent.parts.part_limits import PartLimits
from agent.replies.late_joiners import LateJoiners
from agent.replies.reply_output import Ending
from agent.replies.reply_sink import ReplySink
from agent.replies.reply_stream import ReplyStream
from agent.replies.stream_ids import StreamIds
from agent.room.room_handle import RoomHandle
from agent.room.room_instructions import RoomInstructions
from agent.room.room_profile import RoomProfile
from agent.sdk.room_job import Employment, RoomJob
from agent.session_host.runs import Runs
from agent.tool_calls.conversation_tools import ConversationTools
from agent.tool_calls.room_calls import RoomCalls
from agent.voice.voice_switch import VoiceSwitch
from agent.wire.client_protocols import ClientProtocols
from agent.wire.notices import Notices
from agent.wire.presence import Presence


@dataclass(frozen=True, kw_only=True)
class ConversationOpener:
    """The parts of a room that its conversations share.

    Attributes:
        open_llm: makes a model for one conversation.
        plugin_http: the connections of plugins that all conversations share.
        hooks: of the app around answers, if it has any.
        on_lost: called when a conversation cannot go on, so that the agent has to leave.
        on_answered: called with each answer that has ended.
        on_session: called with the thread and the report of each session that has ended.
        employment: the room's job.
        end_stay: has the agent leave once what waits is answered.
        usage: tokens that all conversations used.
        runs: answers that code of the worker waits for.
    """

    room: rtc.Room
    settings: Settings
    app: App
    hooks: TurnHooks | None
    profile: RoomProfile
    instructions: RoomInstructions
    handle: RoomHandle
    open_llm: Callable[[Models | None], AskedLLM]
    plugin_http: PluginHttp
    files: Files
    calls: RoomCalls
    limits: RoomLimits
    presence: Presence
    notices: Notices
    protocols: ClientProtocols
    stream_ids: StreamIds
    late_joiners: LateJoiners
    own_answers: OwnAnswers
    part_actions: PartActions
    voice: VoiceSwitch
    on_lost: Callable[[], None]
    on_answered: Callable[[AnswerRecord], None]
    on_session: Callable[[str, dict[str, Any]], None]
    employment: Employment | None
    end_stay: Callable[[], object]
    usage: UsageCount = field(default_factory=UsageCount)
    runs: Runs = field(default_factory=Runs)

    def open(self, store: ConversationStore) -> Conversation:
        """A conversation with a model and tools of its own."""
        settings = self.settings
        tools = self.calls.for_conversation()
        tokens = self.limits.token_meter()
        tally = UsageTally()
        app = self.app
        persona = ActivePersona(
            {name: partial(self.instructions.persona, name) for name in app.personas},
            self.profile.first_agent(app),
            offers=app.offers,
            tools=tools,
            open_model=partial(self._open_model, tokens, tally),
            shows_reasoning=settings.show_reasoning,
            in_sessions=app.makers,
        )
        if persona.is_told and store.thread.owner is None:
            persona.on_change = partial(self._tell_agent, persona)
            self._tell_agent(persona)
        return Conversation(
            persona=persona,
            hooks=self.hooks,
            presence=self.presence,
            open_reply=self._open_reply,
            open_copy=self._make_reply,
            store=store,
            tools=tools,
            limits=ConversationLimits.of(settings),
            tokens=tokens,
            answers=self.limits.answers,
            interrupt_on_message=settings.interrupt_on_message,
            open_session=partial(self._open_session, store.thread, persona, tools),
            on_lost=self.on_lost,
            on_answered=partial(self._record, store.thread.id, persona, tally),
        )

    def _open_session(
        self,
        thread: ThreadKey,
        persona: ActivePersona,
        tools: ConversationTools,
        agent: str,
        reply: ReplySink,
        wake: Callable[[], None],
    ) -> LeadingResponder:
        # Imported here: other agents do not need it.
        from agent.sessions.session_parts import SessionParts  # noqa: PLC0415
        from agent.sessions.session_responder import SessionResponder  # noqa: PLC0415

        parts = SessionParts(
            makers=self.app.makers,
            persona=persona,
            room=self.handle,
            reply=reply,
            tools=tools,
            wake=wake,
            on_report=partial(self.on_session, thread.id),
            open_job=self._job_opener(is_private=thread.owner is not None),
            plugin_http=self.plugin_http,
        )
        return SessionResponder(agent, parts)

    def _job_opener(self, *, is_private: bool) -> Callable[[], RoomJob]:
        # A conversation is opened by people, or greets some: the agent is in the room.
        assert self.employment is not None  # noqa: S101 - by its job
        end_stay = None if is_private else self.end_stay
        return partial(RoomJob, self.employment, self.room, end_stay)

    def _open_model(
        self, tokens: TokenMeter, tally: UsageTally, models: Models | None
    ) -> RetryingLLM:
        def on_usage(usage: CompletionUsage) -> None:
            self.usage.add(usage)
            tally.add(usage)

        return RetryingLLM(
            self.open_llm(models),
            retries=self.settings.llm_retries,
            show_files=self.files.model_view.show,
            on_usage=on_usage,
            on_cost=tokens.used,
        )

    def _record(
        self,
        thread: str,
        persona: ActivePersona,
        tally: UsageTally,
        answer: ActiveAnswer,
        reply: ReplyStream,
        ending: Ending,
    ) -> None:
        message = answer.question.message
        record = AnswerRecord(
            thread=thread,
            segment_id=reply.segment_id,
            message_id=message.id,
            asker="" if message.is_own else message.sender.identity,
            finish_reason=ending.finish_reason,
            model=persona.assistant.model.model.model,
            first_text=reply.first_text_after,
            seconds=reply.seconds,
            tools=answer.tools,
            usage=tally.take(),
            text=ending.kept,
        )
        record.note()
        self.calls.background.lasting.told(reply.segment_id)
        self.on_answered(record)

    def _tell_agent(self, persona: ActivePersona) -> None:
        self.presence.set_agent(persona.label or persona.name, persona.title)

    def _make_reply(self, question: Question, agent: str | None = None) -> ReplyStream:
        return ReplyStream(
            self.room,
            question.message,
            question.segment_id,
            topics=self.settings.reply_topics,
            notices=self.notices,
            protocols=self.protocols,
            stream_ids=self.stream_ids,
            make_parts=self._make_parts,
            is_renewed=question.kept is None,
            track_sid=self.voice.track_sid,
            agent=agent,
        )

    def _open_reply(self, question: Question, agent: str | None) -> ReplyStream:
        reply = self._make_reply(question, agent)
        self.late_joiners.watch(reply)
        self.own_answers.add(reply.segment_id)
        self.part_actions.forget(reply.segment_id)
        self.runs.watch(question.message.key, reply)
        return reply

    def _make_parts(self, reply: ReplyStream) -> AnswerParts:
        owner = reply.asker if reply.private else None
        return AnswerParts(
            PartLimits.of(self.settings),
            offset=lambda: reply.units,
            open_stream=reply.open_parts,
            on_actionable=partial(self.part_actions.note, reply.segment_id, owner),
        )
