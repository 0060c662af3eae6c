"""A regular expression matcher that backtracks as Python's does, and counts its steps.

Python's own engine says nothing of the steps that it takes, and times are no measure on a busy
machine. This one compiles the tree of `re._parser` to instructions and runs them with a stack of
alternatives, so that the count for a pattern and a string is always the same. It knows what the
project's patterns use; any other instruction raises UnsupportedError.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from tests.patterns.sre import Parsed, compiled, inner, tree
from tests.patterns.sre import constants as sre

MAX_STEPS: Final = 200_000
MAX_COPIES: Final = 64
"""Largest bounded repetition; more counts as unbounded."""

Use: TypeAlias = Literal["match", "search", "all"]
"""At the start of a string; the first match anywhere in it; all of them."""

Test: TypeAlias = Callable[[str, int], bool]
"""Whether a string passes at a position."""


class UnsupportedError(Exception):
    """The pattern has a construct that this matcher does not know."""


class TooManyStepsError(Exception):
    """The match takes more than MAX_STEPS."""


@dataclass
class Instruction:
    """`consume`: one character that passes the test. `assert`: the test passes, nothing is
    consumed. `split`: goes on at the first target, later at the second. `jump`: goes on at
    the target. `enter` and `loop`: the
    start and the end of an unbounded repetition, which may not run without consuming anything."""

    kind: str
    test: Test | None = None
    targets: tuple[int, ...] = ()
    mark: int = -1


@dataclass
class Program:
    """A pattern as instructions."""

    pattern: re.Pattern[str]
    instructions: list[Instruction] = field(default_factory=list[Instruction])

    @classmethod
    def of(cls, pattern: re.Pattern[str]) -> Program:
        program = cls(pattern)
        program._emit_all(tree(pattern))
        program._add("match")
        return program

    def steps(self, text: str, use: Use) -> int:
        """The steps that a use of the pattern takes.

        Raises:
            TooManyStepsError: more than MAX_STEPS.
        """
        steps = position = 0
        while position <= len(text):
            end, taken = self._run(text, position)
            steps += taken
            if steps > MAX_STEPS:
                raise TooManyStepsError
            if use == "match" or (use == "search" and end is not None):
                break
            position = position + 1 if end is None else max(end, position + 1)
        return steps

    def _run(self, text: str, start: int) -> tuple[int | None, int]:
        """The end of a match from `start`, if there is one, and the steps that it took."""
        steps = 0
        stack: list[tuple[int, int, tuple[int, ...]]] = [(0, start, ())]
        while stack:
            counter, position, entered = stack.pop()
            while True:
                steps += 1
                if steps > MAX_STEPS:
                    raise TooManyStepsError
                each = self.instructions[counter]
                if each.kind == "match":
                    return position, steps
                if each.kind in ("consume", "assert"):
                    if each.test is None or not each.test(text, position):
                        break
                    position += each.kind == "consume"
                    counter += 1
                elif each.kind == "enter":
                    entered = (*entered, position)
                    counter += 1
                elif each.kind == "jump":
                    counter = each.targets[0]
                elif each.kind == "loop":
                    if entered[-1] == position:
                        break
                    entered = entered[:-1]
                    counter = each.targets[0]
                else:
                    stack.append((each.targets[1], position, entered))
                    counter = each.targets[0]
        return None, steps

    def _add(self, kind: str, test: Test | None = None) -> Instruction:
        added = Instruction(kind, test)
        self.instructions.append(added)
        return added

    def _emit_all(self, items: Parsed) -> None:
        for operation, argument in items:
            self._emit(operation, argument)

    def _emit(self, operation: Parsed, argument: Parsed) -> None:
        if operation in (sre.LITERAL, sre.NOT_LITERAL, sre.ANY, sre.IN):
            self._add("consume", self._one_character(operation, argument))
        elif operation in (sre.AT, sre.ASSERT, sre.ASSERT_NOT):
            self._add("assert", self._without_consuming(operation, argument))
        elif operation is sre.SUBPATTERN:
            self._emit_all(argument[3])
        elif operation is sre.BRANCH:
            self._emit_branches(argument[1])
        elif operation in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            self._emit_repeat(*argument, greedy=operation is sre.MAX_REPEAT)
        else:
            raise UnsupportedError(str(operation))

    def _emit_branches(self, branches: Parsed) -> None:
        ends: list[Instruction] = []
        for branch in branches[:-1]:
            split = self._add("split")
            first = len(self.instructions)
            self._emit_all(branch)
            ends.append(self._add("jump"))
            split.targets = (first, len(self.instructions))
        self._emit_all(branches[-1])
        for each in ends:
            each.targets = (len(self.instructions),)

    def _emit_repeat(self, least: int, most: Parsed, body: Parsed, *, greedy: bool) -> None:
        for _ in range(min(least, MAX_COPIES)):
            self._emit_all(body)
        if most is sre.MAXREPEAT or most > MAX_COPIES:
            self._emit_loop(body, greedy=greedy)
            return
        splits: list[tuple[Instruction, int]] = []
        for _ in range(most - least):
            split = self._add("split")
            splits.append((split, len(self.instructions)))
            self._emit_all(body)
        for split, inside in splits:
            split.targets = _ordered(inside, len(self.instructions), greedy=greedy)

    def _emit_loop(self, body: Parsed, *, greedy: bool) -> None:
        start = len(self.instructions)
        split = self._add("split")
        self._add("enter")
        self._emit_all(body)
        self._add("loop").targets = (start,)
        split.targets = _ordered(start + 1, len(self.instructions), greedy=greedy)

    def _one_character(self, operation: Parsed, argument: Parsed) -> Test:
        single = compiled(operation, argument, self.pattern.flags)
        return lambda text, position: (
            position < len(text) and bool(single.fullmatch(text[position]))
        )

    def _without_consuming(self, operation: Parsed, argument: Parsed) -> Test:
        if operation is not sre.AT and is_unbounded(argument[1]):
            raise UnsupportedError("an unbounded repetition in an assertion")
        single = compiled(operation, argument, self.pattern.flags)
        return lambda text, position: single.match(text, position) is not None


def is_unbounded(items: Parsed) -> bool:
    """Whether something in them is repeated without a bound, or very often."""
    return any(
        (operation in (sre.MAX_REPEAT, sre.MIN_REPEAT) and argument[1] > MAX_COPIES)
        or any(map(is_unbounded, inner(operation, argument)))
        for operation, argument in items
    )


def _ordered(inside: int, after: int, *, greedy: bool) -> tuple[int, int]:
    return (inside, after) if greedy else (after, inside)
