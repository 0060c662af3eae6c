"""Strings that make a given pattern backtrack, if any do.

A regular expression is slow where a repeated part can match in many ways and what follows fails.
So each string is a beginning that the pattern accepts, one or two of its parts many times over,
and an end that it does not accept.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Final

from tests.patterns.sre import Parsed, compiled, inner, tree
from tests.patterns.sre import constants as sre

_TRIED: Final = "a1 \t\n_.-/<>!?:;,\"'{}[]()A\0\x1a\x7fé\u0301\u200d\ud800\ufe0f\u20e3" + (
    "\U0001f600\U0001f3fb\U0001f1e6\U000e0061\U000e007f©"
)
"""Characters of many kinds: the first that fits represents a set of characters."""

_ENDS: Final = ("", "\0", "!", "a")
_MOST_PARTS: Final = 30
_PAIRED_PARTS: Final = 5
_LONGEST_RUN: Final = 4
_MOST_BEGINNINGS: Final = 6


def attacks(pattern: re.Pattern[str]) -> Iterator[tuple[str, str, str]]:
    """Beginnings, what is repeated, and ends."""
    parsed = tree(pattern)
    parts = _distinct(_parts(parsed, pattern.flags), _MOST_PARTS)
    pairs = ["".join(pair) for pair in itertools.permutations(parts[:_PAIRED_PARTS], 2)]
    beginnings = ["", *_distinct(_beginnings(parsed, pattern.flags), _MOST_BEGINNINGS)]
    return itertools.product(beginnings, [*parts, *pairs], _ENDS)


def _beginnings(items: Parsed, flags: int) -> Iterator[str]:
    for length in range(1, len(items)):
        yield _sample(list(items)[:length], flags)


def _parts(items: Parsed, flags: int) -> Iterator[str]:
    """An example of each part of the pattern, and of up to so many beside each other."""
    leaves = list(_leaves(items, flags))
    for length in range(1, _LONGEST_RUN + 1):
        for start in range(len(leaves) - length + 1):
            yield "".join(leaves[start : start + length])


def _leaves(items: Parsed, flags: int) -> Iterator[str]:
    """The innermost parts in their order; literals in a row are one."""
    literal = ""
    for operation, argument in items:
        if operation is sre.LITERAL:
            literal += chr(argument)
            continue
        if literal:
            yield literal
            literal = ""
        parts = inner(operation, argument)
        for each in parts:
            yield from _leaves(each, flags)
        if not parts:
            yield _sample_of(operation, argument, flags)
    if literal:
        yield literal


def _sample(items: Parsed, flags: int) -> str:
    return "".join(_sample_of(operation, argument, flags) for operation, argument in items)


def _sample_of(operation: Parsed, argument: Parsed, flags: int) -> str:
    if operation is sre.LITERAL:
        return chr(argument)
    if operation in (sre.NOT_LITERAL, sre.ANY, sre.IN):
        return _character(operation, argument, flags)
    if operation is sre.BRANCH:
        return _sample(argument[1][0], flags)
    if operation in (sre.MAX_REPEAT, sre.MIN_REPEAT):
        return _sample(argument[2], flags) * max(1, argument[0])
    return "".join(_sample(each, flags) for each in inner(operation, argument))


def _character(operation: Parsed, argument: Parsed, flags: int) -> str:
    single = compiled(operation, argument, flags)
    return next((each for each in _TRIED if single.fullmatch(each)), "")


def _distinct(strings: Iterator[str], most: int) -> list[str]:
    return list(dict.fromkeys(each for each in strings if each))[:most]
