"""Carries the model's finish reason past livekit's ChatChunk, which has no field for it.

The client notes the reason of each request; whoever awaits the answer reads the last one. The two
find each other through a context variable, so that several answers at once on one client keep
theirs apart: the tasks that an answer starts inherit its context.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from types import TracebackType
from typing import Self


class FinishReasons:
    """The finish reasons of the model requests that are made inside this context manager.

    Attributes:
        last: the latest one (`stop`, `length`, `tool_calls`, `content_filter` …), or None.
    """

    def __init__(self) -> None:
        self.last: str | None = None
        self._token: Token[FinishReasons | None] | None = None

    def __enter__(self) -> Self:
        self._token = _current.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._token is not None:
            _current.reset(self._token)


_current: ContextVar[FinishReasons | None] = ContextVar("finish_reasons", default=None)


def note_finish_reason(reason: str) -> None:
    """Called by the client when a choice has ended."""
    reasons = _current.get()
    if reasons is not None:
        reasons.last = reason
