"""Questions that specify their answer, and tokens that carry the time at which they were made.

Clocks are the machine's monotonic one, which all its processes share, in microseconds. An answer of
three tokens reads `4100/4200 4300 4400 `: the model was asked at 4100, and its tokens left at 4200,
4300 and 4400.
"""

from __future__ import annotations

import re
import time
from enum import StrEnum

_WAY = re.compile(r", by way of (\w+) ")
_QUESTION = re.compile(r"say (\d+) tokens, ([\d.]+) s apart")


class Way(StrEnum):
    """How the model comes to its answer."""

    PLAIN = ""
    TOOL = "tool"
    """It calls a tool first."""
    RETRY = "retry"
    """It fails with 503 the first time that it is asked."""
    BREAK = "break"
    """It breaks off in the middle."""


def question(tokens: int, delay: float, way: Way = Way.PLAIN) -> str:
    """Return a message that an agent answers with so many tokens, `delay` seconds apart. Messages
    for another way than the plain one are all different."""
    plain = f"Please say {tokens} tokens, {delay:g} s apart"
    return f"{plain}, by way of {way} {now()}" if way else plain


def way_of(text: str) -> Way:
    """The way that a question asks for."""
    found = _WAY.search(text)
    return Way(found[1]) if found else Way.PLAIN


def wanted(text: str) -> tuple[int, float]:
    """Tokens and delay that a question asks for.

    Raises:
        ValueError: it is no such question.
    """
    found = _QUESTION.search(text)
    if found is None:
        raise ValueError("not a question of the benchmark's")
    return int(found[1]), float(found[2])


def now() -> int:
    """The clock."""
    return time.monotonic_ns() // 1000


def token(arrived: int | None = None) -> str:
    """A token that is made now; the first of an answer says when its question had arrived."""
    return f"{now()} " if arrived is None else f"{arrived}/{now()} "


def read_token(text: str) -> tuple[int | None, int]:
    """When the question had arrived, if the token says so, and when the token was made.

    Raises:
        ValueError: it is no such token.
    """
    arrived, slash, made = text.rpartition("/")
    return (int(arrived) if slash else None), int(made)
