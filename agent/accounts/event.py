"""Events: the webhook events for the app's backend. docs/webhooks.md lists their fields."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any, Final

from agent.config.webhook_settings import EventType

MAX_BODY_BYTES: Final = 1_048_576
"""Size limit of an event, in bytes. A longer transcript loses its oldest messages."""


def new_event_id() -> str:
    """An id for an event: the same for all receivers and attempts."""
    return f"EV_{uuid.uuid4().hex}"


def now() -> int:
    """Ms since 1970."""
    return int(time.time() * 1000)


def body_of(event_id: str, kind: EventType, created_at: int, data: dict[str, Any]) -> str:
    """An event as it is sent: one JSON object."""
    event = {"id": event_id, "type": kind, "createdAt": created_at, "data": data}
    text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    transcript: list[Any] = data.get("transcript") or []
    while len(text.encode()) > MAX_BODY_BYTES and transcript:
        del transcript[: max(1, len(transcript) // 4)]
        data["transcriptIsWhole"] = False
        text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    return text
