"""NotedCall: a model's call that runs elsewhere, with its notices."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Literal

from agent.parts.call_part import CallPart
from agent.telemetry.metrics import TOOL_SECONDS
from agent.tool_calls.call_notices import CallNotices
from toolkit.errors import OperationFailed

Outcome = Literal["done", "error", "cancelled"]

_FAILED: Final = OperationFailed()
"""The reason for a failed call goes only to its agent and the model."""


class NotedCall:
    """A call in progress; `on_end` is called with its code and its duration in seconds."""

    def __init__(
        self,
        name: str,
        notices: CallNotices,
        part: CallPart,
        on_end: Callable[[str, float], None],
    ) -> None:
        self._name = name
        self._notices = notices
        self._part = part
        self._on_end = on_end
        self._began = time.monotonic()
        notices.begin()
        part.running()

    def end(self, outcome: Outcome) -> None:
        """Reports the end."""
        code = {"done": "ok", "error": str(_FAILED.code), "cancelled": "cancelled"}[outcome]
        seconds = time.monotonic() - self._began
        TOOL_SECONDS.observe(seconds, self._name, "model", code)
        self._on_end(code, seconds)
        if outcome == "done":
            self._part.done("")
            self._notices.finish("ok")
            return
        error = _FAILED if outcome == "error" else None
        self._part.failed(error)
        self._notices.finish(outcome, error)
