"""FinishReason: why an answer ended, on the wire and in the history."""

from __future__ import annotations

from typing import Literal

FinishReason = Literal["stop", "length", "interrupted", "error", "cancelled"]
