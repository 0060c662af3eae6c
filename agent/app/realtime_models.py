"""Realtime (speech-to-speech) models: which of them an app can have, and where."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from agent.app.app_error import AppError

if TYPE_CHECKING:
    from livekit.agents.llm import RealtimeModel

OF_AN_AGENT: Final = ": a realtime model is for a Persona or a livekit Agent"
"""Ends a sentence about such a model elsewhere."""


def is_realtime(given: object) -> bool:
    """Whether it is such a model."""
    # An app that made one has imported it.
    module: Any = sys.modules.get("livekit.agents")
    return module is not None and isinstance(given, module.llm.RealtimeModel)


def check_fit(agent: str, model: RealtimeModel) -> None:
    """Raises AppError if rooms cannot answer with this model of an agent."""
    able = model.capabilities
    has = f"App: the agent {agent} has a realtime model that"
    if able.turn_detection and not able.can_disable_turn_detection:
        raise AppError(
            f"{has} finds the end of turns by itself, expected one that leaves that to the room"
        )
    if not able.mutable_chat_context:
        raise AppError(
            f"{has} keeps what was said, expected one whose context follows the room's messages"
        )
