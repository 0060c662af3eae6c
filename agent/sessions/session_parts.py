"""SessionParts: what a session needs of its conversation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agent.app.agent_maker import AgentMaker
from agent.chat.active_persona import ActivePersona
from agent.models.plugin_http import PluginHttp
from agent.replies.reply_sink import ReplySink
from agent.sdk.room_job import RoomJob
from agent.tool_calls.conversation_tools import ConversationTools
from toolkit.room import Room


@dataclass(frozen=True, kw_only=True)
class SessionParts:
    """The parts of its conversation that a session needs.

    Attributes:
        makers: of all agents of the app that are livekit Agents, by name.
        room: what the app's functions are given.
        wake: has the conversation look after the session: it has begun to say something that nobody
            asked for, or is to be replaced.
        on_report: given the report of the session when it has ended; see session_report.
        open_job: makes what `get_job_context()` finds in the session's code.
        plugin_http: the connections of realtime models.
    """

    makers: dict[str, AgentMaker]
    persona: ActivePersona
    room: Room
    reply: ReplySink
    tools: ConversationTools
    wake: Callable[[], None]
    on_report: Callable[[dict[str, Any]], None]
    open_job: Callable[[], RoomJob]
    plugin_http: PluginHttp
