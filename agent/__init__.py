"""A LiveKit agent worker. These names, the toolkit's, and those of docs/extending.md are public;
everything else is internal and may change with each version.

They are imported when they are asked for: `python -m agent --help` needs none of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.app.answer import Answer
    from agent.app.app import App
    from agent.app.persona import Limits, Persona
    from agent.app.turn import Turn
    from agent.history.errors import RejectedError
    from agent.history.message import MessageKey, ThreadKey
    from agent.history.turn_store import StoredTurn, TurnStore
    from toolkit.handoff import Handoff
    from toolkit.room import Room

__all__ = [
    "Answer",
    "App",
    "Handoff",
    "Limits",
    "MessageKey",
    "Persona",
    "RejectedError",
    "Room",
    "StoredTurn",
    "ThreadKey",
    "Turn",
    "TurnStore",
]

_HOMES = {
    "Answer": "agent.app.answer",
    "App": "agent.app.app",
    "Handoff": "toolkit.handoff",
    "Limits": "agent.app.persona",
    "MessageKey": "agent.history.message",
    "Persona": "agent.app.persona",
    "RejectedError": "agent.history.errors",
    "Room": "toolkit.room",
    "StoredTurn": "agent.history.turn_store",
    "ThreadKey": "agent.history.message",
    "Turn": "agent.app.turn",
    "TurnStore": "agent.history.turn_store",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
