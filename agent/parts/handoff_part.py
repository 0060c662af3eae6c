"""A hand-over within an answer, as those who see the answer are shown it."""

from __future__ import annotations

import secrets

from agent.contract.parts import HandoffPart
from agent.parts.answer_parts import AnswerParts


def show_handoff(parts: AnswerParts, former: str, agent: str) -> None:
    """Shows that another agent continues, by their names in the app; nothing if it is the same."""
    if former != agent:
        part_id = f"handoff-{secrets.token_hex(4)}"
        part: HandoffPart = {"id": part_id, "type": "handoff", "from": former, "to": agent}
        parts.put(part_id, part)
