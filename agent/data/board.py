"""Board: the current state of a whiteboard, and the latest operations on it."""

from __future__ import annotations

import contextlib
import json
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, cast

from agent.data.board_operation import Clear, Erase, Move, Operation, Stroke, Text
from agent.wire.envelope import encode
from agent.wire.refusal import Refusal

MAX_ELEMENTS: Final = 10_000
MAX_CHARACTERS: Final = 2 * 1024 * 1024
"""Of JSON in all elements together."""

MAX_ELEMENT_BYTES: Final = 12_000
"""Of JSON in one element, so that a page has room for it."""

LOG_LENGTH: Final = 200
"""Operations that a client can ask for after having been away."""


@dataclass(frozen=True, slots=True)
class Logged:
    """An operation that was done, with its number; as JSON, with who did it and when."""

    sequence: int
    json: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Element:
    """Its place from below is the number of the operation that first drew it."""

    order: int
    json: str


class Board:
    """Elements by id, in the order in which they were first drawn, and the newest operations.

    Elements are kept as JSON: `{op, id, …, order, senderId, timestamp}`. That is the form in which
    they are read, and takes a tenth of the memory of the objects.
    """

    def __init__(self) -> None:
        self.sequence = 0
        self._elements: dict[str, _Element] = {}
        self._characters = 0
        self._log: deque[Logged] = deque(maxlen=LOG_LENGTH)
        self._log_start = 0

    def __len__(self) -> int:
        return len(self._elements)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The elements from the newest to the oldest."""
        return (json.loads(each.json) for each in reversed(self._elements.values()))

    def do(self, operation: Operation, sender: str, timestamp: int) -> Logged | None:
        """Applies an operation; None if it changes nothing.

        Raises:
            Refusal: (404) there is no such element, (413) it is too large, or the board is full.
        """
        match operation.root:
            case Clear():
                if not self._elements:
                    return None
                self._elements.clear()
                self._characters = 0
            case Erase(id=key):
                if key not in self._elements:
                    return None
                self._characters -= len(self._elements.pop(key).json)
            case Move(id=key, x=x, y=y):
                self._put(key, self._moved(key, x, y))
            case Stroke() | Text() as drawn:
                shape = drawn.model_dump(exclude_none=True)
                self._put(drawn.id, shape | {"senderId": sender, "timestamp": timestamp})
        return self._note(operation, sender, timestamp)

    def page(self, after: int, max_bytes: int) -> tuple[list[str], int | None]:
        """Elements from the bottom up as JSON, and the next value of `after`, if there are more."""
        above = (each for each in self._elements.values() if each.order > after)
        page: list[_Element] = []
        for element in above:
            max_bytes -= len(element.json.encode()) + 1
            if max_bytes < 0:
                return [each.json for each in page], page[-1].order
            page.append(element)
        return [each.json for each in page], None

    def since(self, sequence: int, max_bytes: int) -> tuple[list[str], int | None] | None:
        """Operations after a number as JSON, and the number after which the next page starts, if
        there is one.

        None where the log does not go back that far.
        """
        if not self._log_start <= sequence <= self.sequence:
            return None
        page: list[Logged] = []
        for logged in self.logged_after(sequence):
            max_bytes -= len(logged.json.encode()) + 1
            if max_bytes < 0:
                return [each.json for each in page], page[-1].sequence
            page.append(logged)
        return [each.json for each in page], None

    def logged_after(self, sequence: int) -> list[Logged]:
        """The operations of the log after a number, oldest first."""
        return [logged for logged in self._log if logged.sequence > sequence]

    def merge(self, kept: Board, base: int, own: Iterable[Logged]) -> list[Logged]:
        """Adopts the board that another agent stored, with this agent's operations (`own`) after
        `base`.

        Operations that both have are applied once. The rest get new numbers, above all numbers of
        either board, so that no client confuses two operations.

        Returns:
            The operations that are not kept yet.
        """
        known = Counter(_identity(logged.json) for logged in kept.logged_after(base))
        missing: list[dict[str, Any]] = []
        for logged in own:
            identity = _identity(logged.json)
            known[identity] -= 1
            if known[identity] < 0:
                missing.append(cast("dict[str, Any]", json.loads(logged.json)))
        self.sequence = max(self.sequence, kept.sequence)
        self._elements, self._characters = kept._elements, kept._characters
        # A gap: clients that know the former numbers read the board again.
        self.forget_log()
        merged: list[Logged] = []
        for shape in missing:
            # The other agent's board has no room for it, or no such element.
            with contextlib.suppress(Refusal):
                operation = Operation.model_validate(shape)
                logged = self.do(operation, shape["senderId"], shape["timestamp"])
                if logged is not None:
                    merged.append(logged)
        return merged

    def drawn_by(self, sender: str) -> list[str]:
        """The ids of the elements that somebody drew."""
        return [key for key, each in self._elements.items() if _sender(each.json) == sender]

    def remove_of(self, sender: str) -> None:
        """Removes a participant's drawings, and the log that mentions them. No operation does that:
        clients that know the former numbers read the board again."""
        for key in self.drawn_by(sender):
            self._characters -= len(self._elements.pop(key).json)
        self.forget_log()

    def forget_log(self) -> None:
        """Drops the log: clients that ask for changes since then have to read the whole board
        again."""
        self._log.clear()
        self.sequence = self._log_start = self.sequence + 1

    def snapshot(self) -> str:
        """All elements, a line each; `restore` reads it."""
        return "\n".join(element.json for element in self._elements.values())

    def restore(self, sequence: int, snapshot: str, operations: Iterable[str]) -> None:
        """Loads the stored board: a snapshot, and the operations that came after it."""
        self.sequence = self._log_start = sequence
        # Not splitlines: JSON keeps other line breaks.
        for line in filter(None, snapshot.split("\n")):
            shape = cast("dict[str, Any]", json.loads(line))
            self._elements[shape["id"]] = _Element(shape["order"], line)
            self._characters += len(line)
        for line in operations:
            kept = cast("dict[str, Any]", json.loads(line))
            if kept["sequence"] != self.sequence + 1:
                self._log.clear()
                self._log_start = kept["sequence"] - 1
            self.sequence = kept["sequence"] - 1
            self.do(Operation.model_validate(kept), kept["senderId"], kept["timestamp"])

    def _put(self, key: str, shape: dict[str, Any]) -> None:
        former = self._elements.get(key)
        order = self.sequence + 1 if former is None else former.order
        text = encode(shape | {"order": order}).decode()
        size = self._characters + len(text) - (0 if former is None else len(former.json))
        if len(text.encode()) > MAX_ELEMENT_BYTES:
            most = f"{MAX_ELEMENT_BYTES} bytes"
            raise Refusal(
                413, f"An element of the whiteboard may have {most}: split it into several."
            )
        if size > MAX_CHARACTERS or (former is None and len(self._elements) >= MAX_ELEMENTS):
            most = f"{MAX_ELEMENTS} elements and {MAX_CHARACTERS} characters of JSON"
            raise Refusal(413, f"The whiteboard is full: it may have {most}.")
        self._elements[key] = _Element(order, text)
        self._characters = size

    def _moved(self, key: str, x: float, y: float) -> dict[str, Any]:
        element = self._elements.get(key)
        if element is None:
            raise Refusal(404, "There is no such element on the whiteboard.")
        shape = cast("dict[str, Any]", json.loads(element.json))
        if "points" not in shape:
            return shape | {"x": x, "y": y}
        points = cast("list[tuple[float, float]]", shape["points"])
        dx, dy = x - points[0][0], y - points[0][1]
        moved = [(round(px + dx, 6), round(py + dy, 6)) for px, py in points]
        return shape | {"points": moved}

    def _note(self, operation: Operation, sender: str, timestamp: int) -> Logged:
        self.sequence += 1
        shape = operation.root.model_dump(exclude_none=True)
        shape |= {"sequence": self.sequence, "senderId": sender, "timestamp": timestamp}
        logged = Logged(self.sequence, encode(shape).decode())
        if len(self._log) == LOG_LENGTH:
            self._log_start = self._log[0].sequence
        self._log.append(logged)
        return logged


def _sender(element: str) -> str:
    return str(json.loads(element)["senderId"])


def _identity(operation: str) -> str:
    """The part of a packet that two agents' logs share: each has its own number and clock."""
    shape = cast("dict[str, Any]", json.loads(operation))
    return encode({k: shape[k] for k in sorted(shape.keys() - {"sequence", "timestamp"})}).decode()
