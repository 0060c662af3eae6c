"""A board's bounds, and that it comes back as it was."""

from __future__ import annotations

from collections import deque

import pytest

from agent.data.board import LOG_LENGTH, MAX_CHARACTERS, MAX_ELEMENTS, Board
from agent.data.board_operation import Clear, Erase, Operation, Stroke, Text
from agent.wire.refusal import Refusal


def stroke(key: str, points: int = 1) -> Operation:
    return Operation(Stroke(op="stroke", id=key, points=[(0.0, 0.0)] * points))


def note(key: str, text: str) -> Operation:
    return Operation(Text(op="note", id=key, x=0.0, y=0.0, text=text))


def test_so_many_elements_and_no_more() -> None:
    board = Board()
    for number in range(MAX_ELEMENTS):
        board.do(stroke(f"s{number}"), "ann", 1)
    with pytest.raises(Refusal, match="full") as caught:
        board.do(stroke("one more"), "ann", 1)
    assert caught.value.code == 413
    board.do(stroke("s0", points=2), "ann", 1)
    board.do(Operation(Erase(op="erase", id="s1")), "ann", 1)
    board.do(stroke("one more"), "ann", 1)
    assert (len(board), board.sequence) == (MAX_ELEMENTS, MAX_ELEMENTS + 3)
    assert board.since(0, 10_000) is None
    assert board.since(board.sequence - LOG_LENGTH, 10**9) is not None


def test_so_much_and_no_more_however_it_is_edited() -> None:
    board = Board()
    notes = (note(f"n{number}", "t" * 4_000) for number in range(MAX_ELEMENTS))
    with pytest.raises(Refusal, match="full"):
        deque((board.do(each, "ann", 1) for each in notes), maxlen=0)
    size = len(board.snapshot())
    assert size <= MAX_CHARACTERS + len(board)
    for _ in range(3):
        for number in range(len(board)):
            board.do(note(f"n{number}", "t" * 4_000), "ann", 1)
    assert len(board.snapshot()) == size
    board.do(Operation(Clear(op="clear")), "ann", 1)
    board.do(note("n", "t" * 4_000), "ann", 1)
    assert len(board) == 1


def test_comes_back_as_it_was() -> None:
    board = Board()
    board.do(note("a", "first\nsecond\u2028third\x85"), "ann", 1)
    board.do(stroke("b", points=3), "bob", 2)
    sequence, snapshot = board.sequence, board.snapshot()
    later = [
        board.do(Operation(Erase(op="erase", id="b")), "ann", 3),
        board.do(stroke("c"), "x", 4),
    ]
    again = Board()
    again.restore(sequence, snapshot, [each.json for each in later if each])
    assert again.snapshot() == board.snapshot()
    assert again.sequence == board.sequence
    assert again.page(0, 10_000) == board.page(0, 10_000)
    assert again.since(2, 10_000) == board.since(2, 10_000)
    assert again.since(1, 10_000) is None
