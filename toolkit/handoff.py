"""Handoff: a tool's result that hands the conversation to another agent of the app."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Handoff:
    """Hands the conversation to another agent, which continues the answer in progress.

    Attributes:
        agent: its name in the app.
        message: one sentence for that agent: the subject of the conversation.
    """

    agent: str
    message: str = ""


HandOff = Callable[[Handoff], str]
"""Hands over; returns the text that the model reads as the result of the call. Raises ToolError."""
