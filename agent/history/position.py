"""Positions: the place of a message in its thread, as one number that never changes.

A participant's message has an even number, from the row that it was stored in. Its answer has the
next number, whenever the answer is stored: so an answer's position is known before it begins.
"""

from __future__ import annotations


def message_position(row: int) -> int:
    """The position of a participant's message that is stored in this row."""
    return 2 * row


def answer_position(question: int | None) -> int | None:
    """The position of the answer to a message at this position; None if that is not known."""
    return None if question is None else question + 1


def question_position(answer: int | None) -> int | None:
    """The position of the message whose answer is at this position; None if that is not known."""
    return None if answer is None else answer - 1


def stored_answer_position(row: int, question_row: int | None) -> int:
    """The position of an answer in the history; its own row counts if its question was pruned."""
    return message_position(row if question_row is None else question_row) + 1
