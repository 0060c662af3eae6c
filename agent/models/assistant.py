"""Assistant: who answers in a conversation."""

from __future__ import annotations

from dataclasses import dataclass

from agent.models.offered_tools import OfferedTools
from agent.models.retrying_llm import RetryingLLM


@dataclass(frozen=True, slots=True)
class Assistant:
    """What the answers of a conversation are made with, in writing (ToolLoop) or aloud.

    Attributes:
        instructions: who the model is and what it is to do.
        tools: what it may call in the turn that is being answered.
        shows_reasoning: people see what the model thinks, as parts of the answer.
    """

    instructions: str
    model: RetryingLLM
    tools: OfferedTools
    shows_reasoning: bool = False
