"""Assistant: the model's role in a conversation: instructions, tools and model."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from livekit.agents import llm

from agent.models.asked_llm import AskedLLM
from agent.models.offered_tools import OfferedTools

if TYPE_CHECKING:
    from agent.app.speech import SpeechToText, TextToSpeech

MAX_TOOL_STEPS = 4
"""Steps of one answer in which tools may be called; the next one gets no tools. The same number as
an AgentSession's default."""


class StepModel(Protocol):
    """A model that is asked for one step of an answer: a RetryingLLM, or a wrapper of one."""

    @property
    def model(self) -> AskedLLM:
        """The LLM below, which an AgentSession is given."""
        ...

    def ask(
        self,
        context: llm.ChatContext,
        tools: Sequence[llm.Tool],
        *,
        on_finish: Callable[[str], None] | None = None,
        **options: Any,  # noqa: ANN401 - whatever the API has
    ) -> AsyncGenerator[llm.ChatChunk]:
        """Streams a step; raises as `AskedLLM.ask` does."""
        ...


@dataclass(slots=True)
class Assistant:
    """Makes the answers of a conversation, in writing (ToolLoop) or aloud.

    It changes between two steps of an answer if the conversation is handed to another agent.

    Attributes:
        instructions: the model's role and task.
        tools: the tools of the current turn.
        shows_reasoning: people see the model's reasoning, as parts of the answer.
        tool_steps: steps of an answer in which tools may be called.
        voice: the voice that it speaks with; None: the room's.
        language: the language that is spoken to it; None: the room's.
        stt: the app's speech recognition for it; None: the app's for all, or the worker's.
        tts: the same of its speech synthesis.
        in_session: its answers are made by a session of a livekit Agent, not with these.
    """

    instructions: str
    model: StepModel
    tools: OfferedTools
    shows_reasoning: bool = False
    tool_steps: int = MAX_TOOL_STEPS
    voice: str | None = None
    language: str | None = None
    stt: SpeechToText | None = None
    tts: TextToSpeech | None = None
    in_session: bool = False
