"""Opinions of a message: the valid values of feedback and reactions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from agent.history.errors import InvalidValueError
from agent.history.message import MAX_COMMENT_LENGTH

if TYPE_CHECKING:
    from agent.history.message import Feedback

MAX_EMOJI_LENGTH: Final = 64


def check_emoji(emoji: str) -> None:
    """Raises InvalidValueError for an emoji of no or more than 64 characters."""
    if not 0 < len(emoji) <= MAX_EMOJI_LENGTH:
        raise InvalidValueError(f"An emoji has 1 to {MAX_EMOJI_LENGTH} characters.")


def check_feedback(feedback: Feedback) -> None:
    """Raises InvalidValueError unless it is `up`, `down` or a finite number, or for a long
    comment."""
    value = feedback.value
    if isinstance(value, bool) or (isinstance(value, int | float) and not math.isfinite(value)):
        raise InvalidValueError('Feedback is "up", "down" or a number.')
    if isinstance(value, str) and value not in {"up", "down"}:
        raise InvalidValueError('Feedback is "up", "down" or a number.')
    if len(feedback.comment) > MAX_COMMENT_LENGTH:
        raise InvalidValueError(f"A comment has at most {MAX_COMMENT_LENGTH} characters.")
