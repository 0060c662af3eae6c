"""Questions that say what to answer, and tokens that say when they were made.

Clocks are the machine's monotonic one, which all its processes share, in microseconds. An answer of
three tokens reads `4100/4200 4300 4400 `: the model was asked at 4100, and its tokens left at 4200,
4300 and 4400.
"""

from __future__ import annotations

import re
import time

_QUESTION = re.compile(r"say (\d+) tokens, ([\d.]+) s apart")


def question(tokens: int, delay: float) -> str:
    """Return a message that an agent answers with so many tokens, `delay` seconds apart."""
    return f"Please say {tokens} tokens, {delay:g} s apart"


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
