"""A parsed pattern, by `re`'s private modules, which have no types."""

from __future__ import annotations

import importlib
import re
from typing import Any, Final, TypeAlias

Parsed: TypeAlias = Any
"""Parts of a parsed pattern: an operation, its argument, or a sequence of such pairs."""

constants: Final[Any] = importlib.import_module("re._constants")
_parser: Final[Any] = importlib.import_module("re._parser")
_compiler: Final[Any] = importlib.import_module("re._compiler")


def tree(pattern: re.Pattern[str]) -> Parsed:
    """The parsed pattern."""
    return _parser.parse(pattern.pattern, pattern.flags)


def compiled(operation: Parsed, argument: Parsed, flags: int) -> re.Pattern[str]:
    """One part as a pattern of its own."""
    state = _parser.State()
    state.flags = flags
    return _compiler.compile(_parser.SubPattern(state, [(operation, argument)]), flags)


def inner(operation: Parsed, argument: Parsed) -> list[Parsed]:
    """The parts that a part consists of."""
    if operation is constants.SUBPATTERN:
        return [argument[3]]
    if operation is constants.BRANCH:
        return list(argument[1])
    if operation in (constants.MAX_REPEAT, constants.MIN_REPEAT):
        return [argument[2]]
    if operation in (constants.ASSERT, constants.ASSERT_NOT):
        return [argument[1]]
    return []
