"""A Persona with a realtime model is answered for by a livekit Agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from livekit.agents import Agent

    from agent.app.persona import Persona


def speaker_of(persona: Persona) -> Agent:
    """The livekit Agent that answers for a Persona with such a model. What it is to say is the
    Persona's, and so are its tools."""
    from livekit.agents import Agent  # noqa: PLC0415 - who has such a model has imported it

    model: Any = persona.llm
    return Agent(instructions=persona.instructions, llm=model)
