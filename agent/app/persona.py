"""Persona: one agent of an app, as plain data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from agent.app.app_error import AppError
from agent.app.realtime_models import is_realtime

if TYPE_CHECKING:
    from livekit.agents import llm
    from livekit.agents.llm import RealtimeModel

    from agent.app.speech import SpeechToText, TextToSpeech
    from toolkit.tool import Tool

Model: TypeAlias = "str | llm.LLM[Any] | Callable[[], llm.LLM[Any]]"
"""A model: any LLM of livekit-agents, a function that makes one, or text: the name of one of the
app's `models`, else of a model of the service at OPENAI_BASE_URL."""

Models: TypeAlias = "Model | Sequence[Model]"
"""A model, or several in the order in which they are asked: the next one where one fails or stays
silent before its first token."""

AnyTool: TypeAlias = "Tool | llm.FunctionTool[..., Any] | llm.RawFunctionTool[..., Any]"
"""A tool of the toolkit's `@tool`, or of livekit-agents' `@function_tool`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one agent's answers; None: the worker's.

    Attributes:
        answer_timeout: seconds that an answer may take, with its tool calls; 0: no limit.
        tool_steps: steps of an answer in which tools may be called.
    """

    answer_timeout: float | None = None
    tool_steps: int | None = None

    def __post_init__(self) -> None:
        if self.answer_timeout is not None and not self.answer_timeout >= 0:
            raise AppError(f"Limits: answer_timeout is {self.answer_timeout}, expected 0 or more")
        if self.tool_steps is not None and not 0 <= self.tool_steps <= MAX_TOOL_STEPS:
            raise AppError(
                f"Limits: tool_steps is {self.tool_steps}, expected 0 to {MAX_TOOL_STEPS}"
            )


MAX_TOOL_STEPS = 32


@dataclass(frozen=True, slots=True)
class Persona:
    """One agent of an app.

    Attributes:
        instructions: the system prompt.
        name: the name that people see; its name in the app unless given.
        tools: tools of its own besides the app's.
        llm: the model or models that it answers with, or a realtime (speech-to-speech) model; the
            app's unless given.
        voice: the voice that it speaks with; the worker's unless given.
        language: the language that it answers in, as a name or a BCP 47 tag.
        greeting: its first text in a room whose conversation is new.
        limits: bounds of its answers.
        stt: its speech recognition in rooms with a voice; the app's unless given.
        tts: its speech synthesis; the app's unless given.
        show_reasoning: people may see what its model thinks, where SHOW_REASONING allows it.
    """

    instructions: str
    name: str | None = None
    tools: Sequence[AnyTool] = ()
    llm: Models | RealtimeModel | None = None
    voice: str | None = None
    language: str | None = None
    greeting: str | None = None
    limits: Limits = Limits()
    show_reasoning: bool = True
    stt: SpeechToText | None = None
    tts: TextToSpeech | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.instructions, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise AppError("Persona: instructions must be text")

    @property
    def models(self) -> Models | None:
        """The models that it answers with; None: the app's, or a realtime model."""
        return None if is_realtime(self.llm) else cast("Models | None", self.llm)
