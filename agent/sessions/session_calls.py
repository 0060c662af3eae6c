"""SessionCalls: reports the calls of an Agent's own tools to people, like those of other tools."""

from __future__ import annotations

import json
from typing import Any, cast

from livekit.agents import AgentSession
from livekit.agents.voice.events import ToolExecutionUpdatedEvent

from agent.tool_calls.conversation_tools import ConversationTools
from agent.tool_calls.noted_call import NotedCall


class SessionCalls:
    """Follows the calls of `@function_tool`s. The worker's own tools report theirs themselves."""

    def __init__(self, tools: ConversationTools) -> None:
        self._tools = tools
        self._calls: dict[str, NotedCall] = {}

    def watch(self, session: AgentSession[Any]) -> None:
        """Follows those of a session, from now on."""
        session.on("tool_execution_updated", self._on_update)

    def _on_update(self, event: ToolExecutionUpdatedEvent) -> None:
        update = event.update
        if update.type == "tool_call_started":
            call = update.function_call
            if call.name not in self._tools.offered.names:
                noted = self._tools.note_call(call.name, _arguments(call.arguments))
                if noted is not None:
                    self._calls[call.call_id] = noted
        elif update.type == "tool_call_ended" and update.call_id in self._calls:
            self._calls.pop(update.call_id).end(update.status)


def _arguments(text: str) -> dict[str, Any]:
    try:
        arguments: Any = json.loads(text or "{}")
    except ValueError:
        return {}
    return cast("dict[str, Any]", arguments) if isinstance(arguments, dict) else {}
