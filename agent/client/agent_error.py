"""AgentError: a refusal or failure of the agent, with its code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from livekit import rtc


class AgentError(Exception):
    """The agent, or the SDK on the way to it, says no.

    Attributes:
        code: as in the wire contract; 1001 to 1999 are LiveKit's own.
        data: what a program can act on, such as `fields` and `retryAfter`.
    """

    def __init__(self, code: int, message: str, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.data: Mapping[str, Any] = data or {}

    @classmethod
    def of(cls, error: rtc.RpcError) -> AgentError:
        """The error of an RPC call."""
        try:
            data = cast("object", json.loads(error.data)) if error.data else None
        except (ValueError, RecursionError):
            data = None
        known = cast("dict[str, Any]", data) if isinstance(data, dict) else None
        return cls(error.code, error.message, known)


class NoAnswerError(AgentError):
    """There is no answer, or not all of it; the message says why. Text received so far is kept."""
