"""RpcAnswer: a method's answer to its caller."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RpcAnswer:
    """The text of an answer, and whether nobody but the caller may read it."""

    text: str
    confidential: bool
