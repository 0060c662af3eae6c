"""Answer: an answer that has ended, as hooks see it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that has ended.

    Attributes:
        text: the whole text, as it was sent.
        finish_reason: `stop`, `length`, `interrupted`, `cancelled` or `error`.
        agent: the name of the agent that gave it.
        segment_id: its id on the wire and in the history.
    """

    text: str = field(repr=False)
    finish_reason: str
    agent: str
    segment_id: str
