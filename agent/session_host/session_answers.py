"""SessionAnswers: answers to moderators about a room's conversation, request by request."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from livekit import rtc
from livekit.agents import __version__, llm
from livekit.protocol.agent_pb import agent_session as pb

from agent.chat.conversation import Conversation
from agent.config.settings import Settings
from agent.inbox.message import Form, IncomingMessage, Sender
from agent.models.usage_count import UsageCount
from agent.session_host.chat_items import encoded, timestamp
from agent.session_host.runs import Runs
from agent.voice.voice_switch import VoiceSwitch
from agent.wire.presence import AgentState, Presence
from agent.wire.refusal import Refusal
from toolkit.caller import Caller
from toolkit.toolbox import Toolbox

RUN_TIMEOUT: Final = 600.0
"""Seconds to wait for the answer to `run_input`, including the time in the queue."""

UNKNOWN: Final = "400: This request is not known."
NO_UPDATE: Final = "501: update_io is not supported: use setListening and the setting VOICE."

_STATES: Final[Mapping[AgentState, pb.AgentState]] = {
    "initializing": pb.AgentState.AS_INITIALIZING,
    "listening": pb.AgentState.AS_LISTENING,
    "thinking": pb.AgentState.AS_THINKING,
    "speaking": pb.AgentState.AS_SPEAKING,
}


@dataclass(frozen=True, kw_only=True)
class SessionAnswers:
    """Answers the requests of a remote session as livekit-agents does; requests for things that
    this agent does not have get an error.

    Attributes:
        conversation: the room's conversation, open by then. Private ones cannot be read.
        toolbox: the model's tools.
        settings: some of them appear as the session's options.
    """

    room: rtc.Room
    settings: Settings
    conversation: Callable[[], Conversation]
    presence: Presence
    voice: VoiceSwitch
    toolbox: Toolbox
    usage: UsageCount
    runs: Runs
    created_at: float = field(default_factory=time.time)

    async def answer(self, request: pb.SessionRequest, caller: Caller) -> pb.SessionResponse:
        """The response to one request, which may be an error."""
        response = pb.SessionResponse(request_id=request.request_id)
        match request.WhichOneof("request"):
            case "ping":
                response.pong.SetInParent()
            case "get_chat_history":
                response.get_chat_history.items.extend(encoded(self.conversation().items))
            case "get_agent_info":
                info = response.get_agent_info
                info.id = self.room.local_participant.identity
                info.instructions = self.conversation().persona.assistant.instructions
                info.tools.extend(tool.name for tool in self.toolbox if tool.model)
                info.chat_ctx.extend(encoded(self.conversation().items))
            case "get_session_state":
                self._tell_state(response.get_session_state)
            case "get_rtc_stats":
                await self._tell_rtc_stats(response.get_rtc_stats)
            case "get_session_usage":
                response.get_session_usage.usage.CopyFrom(self._counted())
                response.get_session_usage.created_at.CopyFrom(timestamp(time.time()))
            case "get_framework_info":
                response.get_framework_info.sdk = "python"
                response.get_framework_info.sdk_version = __version__
            case "run_input":
                await self._run(request.run_input.text, caller, response)
            case "finalize_simulation":
                # The default verdict, as in livekit-agents.
                response.finalize_simulation.SetInParent()
            case "update_io":
                response.error = NO_UPDATE
            case _:
                response.error = UNKNOWN
        return response

    def _tell_state(self, told: pb.SessionResponse.GetSessionStateResponse) -> None:
        told.agent_state = _STATES[self.presence.state]
        speaks = self.voice.is_listening
        told.user_state = pb.UserState.US_SPEAKING if speaks else pb.UserState.US_LISTENING
        told.agent_id = self.room.local_participant.identity
        told.options.update(
            reply_policy=self.settings.reply_policy,
            voice=self.settings.voice,
            voice_text=self.settings.voice_text,
        )
        told.created_at.CopyFrom(timestamp(self.created_at))

    async def _tell_rtc_stats(self, told: pb.SessionResponse.GetRTCStatsResponse) -> None:
        stats = await self.room.get_rtc_stats()
        for each, kind in (
            *((each, told.publisher_stats) for each in stats.publisher_stats),
            *((each, told.subscriber_stats) for each in stats.subscriber_stats),
        ):
            fields = Struct()
            fields.update(MessageToDict(each))
            kind.append(fields)

    async def _run(self, text: str, caller: Caller, response: pb.SessionResponse) -> None:
        """Asks in the caller's name. The question takes its place among the room's messages."""
        response.run_input.SetInParent()
        if not text.strip():
            response.error = "400: There is no text."
            return
        bound = self.settings.max_message_bytes
        if len(text.encode()) > bound:
            response.error = f"413: A message may have {bound} bytes."
            return
        message = IncomingMessage(
            id=f"RS_{uuid.uuid4().hex[:16]}",
            sender=Sender(caller.identity, caller.name),
            text=text,
            timestamp=int(time.time() * 1000),
            form=Form.STREAM,
        )
        conversation = self.conversation()
        try:
            async with asyncio.timeout(RUN_TIMEOUT):
                with self.runs.expect(message.key) as answered:
                    conversation.submit(message)
                    ending = await answered
        except Refusal as refusal:
            response.error = f"{refusal.code}: {refusal.sentence}"
            return
        except TimeoutError:
            response.error = f"504: There was no answer within {RUN_TIMEOUT:g} s."
            return
        said = [item for item in conversation.said_about(message.key) if item.type != "message"]
        answer = llm.ChatMessage(
            id=ending.segment_id,
            role="assistant",
            content=[ending.text],
            interrupted=ending.finish_reason in {"interrupted", "cancelled"},
        )
        response.run_input.items.extend(encoded([*said, answer]))

    def _counted(self) -> pb.AgentSessionUsage:
        """Empty before the model service has counted anything."""
        usage = self.usage
        if not usage.input_tokens and not usage.output_tokens:
            return pb.AgentSessionUsage()
        counted = pb.LLMModelUsage(
            provider="openai",
            model=self.settings.llm_model,
            input_tokens=usage.input_tokens,
            input_cached_tokens=usage.cached_tokens,
            output_tokens=usage.output_tokens,
        )
        return pb.AgentSessionUsage(model_usage=[pb.ModelUsage(llm=counted)])
