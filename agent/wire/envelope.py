"""The JSON of the data packets that the agent sends."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping

MAX_PACKET_BYTES = 14_000
"""Kept below the 15 KiB that a reliable packet may have, with room for its addressing."""

ENVELOPE_BYTES = 1_500
"""Reserved in a packet for everything but the text: ids, names, hash."""


def envelope(
    kind: str,
    content: object,
    *,
    sender_id: str,
    sender_name: str,
    message_id: str = "",
    fields: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """A message as packet clients read it; text stands under both names that they use.

    Timestamps are ms since 1970. Fields that are None are left out.
    """
    message: dict[str, object] = {
        "id": message_id or f"msg_{uuid.uuid4().hex}",
        "type": kind,
        "senderId": sender_id,
        "senderName": sender_name,
        "content": content,
        **({"text": content} if isinstance(content, str) else {}),
        "timestamp": int(time.time() * 1000),
    }
    message.update((name, value) for name, value in (fields or {}).items() if value is not None)
    return message


def encode(message: Mapping[str, object] | str) -> bytes:
    """Compact UTF-8 JSON of a message, or of a text in one."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def split_text(text: str, max_bytes: int) -> list[str]:
    """Cuts text so that each part takes at most so many bytes inside JSON.

    Never cuts inside a character. There is at least one part, which may be empty.
    """
    parts: list[str] = []
    start = size = 0
    for index, character in enumerate(text):
        width = _width(character)
        if size + width > max_bytes and index > start:
            parts.append(text[start:index])
            start, size = index, 0
        size += width
    parts.append(text[start:])
    return parts


def _width(character: str) -> int:
    """Bytes that a character takes in JSON: control characters, quote and backslash are escaped."""
    if character in '"\\':
        return 2
    if character < " ":
        return 6
    return 1 if character < "\x80" else len(character.encode())
