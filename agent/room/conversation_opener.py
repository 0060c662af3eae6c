"""ConversationOpener: makes a room's conversations, and the replies that they write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from livekit import rtc

from agent.chat.conversation import Conversation, ConversationLimits
from agent.chat.conversation_store import ConversationStore, Question
from agent.config.settings import Settings
from agent.files.files import Files
from agent.inbox.own_answers import OwnAnswers
from agent.models.assistant import Assistant
from agent.models.llm import ChatLLM
from agent.models.retrying_llm import RetryingLLM
from agent.models.usage_count import UsageCount
from agent.parts.answer_parts import AnswerParts
from agent.parts.part_actions import PartActions
from agent.parts.part_limits import PartLimits
from agent.replies.late_joiners import LateJoiners
from agent.replies.reply_stream import ReplyStream
from agent.replies.stream_ids import StreamIds
from agent.room.room_profile import RoomProfile
from agent.session_host.runs import Runs
from agent.tool_calls.room_calls import RoomCalls
from agent.voice.voice_switch import VoiceSwitch
from agent.wire.client_protocols import ClientProtocols
from agent.wire.notices import Notices
from agent.wire.presence import Presence


@dataclass(frozen=True, kw_only=True)
class ConversationOpener:
    """The parts of a room that its conversations share.

    Attributes:
        open_llm: makes the model of one conversation.
        on_lost: called when a conversation cannot go on, so that the agent has to leave.
        usage: tokens of all of them.
        runs: tells those who wait for an answer in the agent itself.
    """

    room: rtc.Room
    settings: Settings
    profile: RoomProfile
    open_llm: Callable[[], ChatLLM]
    files: Files
    calls: RoomCalls
    presence: Presence
    notices: Notices
    protocols: ClientProtocols
    stream_ids: StreamIds
    late_joiners: LateJoiners
    own_answers: OwnAnswers
    part_actions: PartActions
    voice: VoiceSwitch
    on_lost: Callable[[], None]
    usage: UsageCount = field(default_factory=UsageCount)
    runs: Runs = field(default_factory=Runs)

    def open(self, memory: ConversationStore) -> Conversation:
        """A conversation with a model and tools of its own."""
        settings = self.settings
        tools = self.calls.for_conversation()
        model = RetryingLLM(
            self.open_llm(),
            retries=settings.llm_retries,
            show_files=self.files.model_view.show,
            on_usage=self.usage.add,
        )
        return Conversation(
            assistant=Assistant(
                self.profile.full_instructions(settings),
                model,
                tools.offered,
                shows_reasoning=settings.show_reasoning,
            ),
            presence=self.presence,
            open_reply=self._open_reply,
            memory=memory,
            tools=tools,
            limits=ConversationLimits.of(settings),
            interrupt_on_message=settings.interrupt_on_message,
            on_lost=self.on_lost,
        )

    def _open_reply(self, question: Question) -> ReplyStream:
        reply = ReplyStream(
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
        )
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
