"""Chat messages in data packets: the JSON forms that clients send, parsed.

Known forms, with `message` or `content` in place of `text`:

- `{"type": "chat", "id": …, "text": …, "timestamp": …}`
- `{"topic": "chat", "payload": {"id": …, "text": …}}`, the payload may be bare text
- either of them, or bare text, on a packet topic that is one of the chat topics
- `{"id": …, "timestamp": …, "message": …}` on `lk-chat-topic`, the chat packets of
  livekit's components before text streams; with `"ignoreLegacy": true` they are a copy of a
  stream and not for those who read streams (components-core, chat.ts).
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, cast

from agent.chat.message import Form
from agent.wire.refusal import Refusal

LEGACY_CHAT_TOPIC = "lk-chat-topic"
MAX_ID_LENGTH = 256
_TEXT_KEYS = ("text", "message", "content")


@dataclass(frozen=True, slots=True)
class ChatPacket:
    """The chat message that a packet holds."""

    id: str
    text: str
    timestamp: int
    form: Form
    private: bool
    reply_to: str | None


@dataclass(frozen=True, slots=True)
class OtherPacket:
    """A packet of some other topic or type than chat."""

    topic: str


def parse_packet(
    data: bytes, packet_topic: str, chat_topics: Collection[str]
) -> ChatPacket | OtherPacket | None:
    """What a data packet is about; None if it is not for the agent at all.

    Raises:
        Refusal: it is a chat message, but a malformed one.
    """
    if packet_topic == LEGACY_CHAT_TOPIC:
        return _legacy(data)
    on_chat_topic = packet_topic in chat_topics
    if packet_topic and not on_chat_topic:
        return OtherPacket(packet_topic)
    body = _json_object(data, text_allowed=on_chat_topic)
    kind = body.get("topic", body.get("type"))
    if isinstance(kind, str) and (kind in chat_topics or kind == "chat"):
        inner = body.get("payload", body)
        return _chat(inner, Form.PACKET, private=body.get("private") is True)
    if on_chat_topic and kind is None:
        return _chat(body, Form.PACKET)
    if not isinstance(kind, str):
        raise Refusal(400, 'The packet says neither what "type" nor what "topic" it is.')
    return OtherPacket(kind)


def _legacy(data: bytes) -> ChatPacket | None:
    body = _json_object(data, text_allowed=False)
    if body.get("ignoreLegacy") is True:
        return None
    return _chat(body, Form.LEGACY)


def _json_object(data: bytes, *, text_allowed: bool) -> Mapping[str, Any]:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Refusal(400, "The packet is not valid UTF-8.") from None
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        if text_allowed:
            return {"text": text}
        raise Refusal(400, "The packet is not valid JSON.") from None
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)
    if text_allowed:
        return {"text": value if isinstance(value, str) else text}
    raise Refusal(400, "The packet is not a JSON object.")


def _chat(body: object, form: Form, *, private: bool = False) -> ChatPacket:
    if isinstance(body, str):
        body = {"text": body}
    if not isinstance(body, dict):
        raise Refusal(400, 'The "payload" of a chat packet must be an object or text.')
    fields = cast("dict[str, Any]", body)
    text = next((fields[key] for key in _TEXT_KEYS if key in fields), None)
    if not isinstance(text, str):
        raise Refusal(400, 'A chat packet needs "text" (or "message" or "content") as a string.')
    return ChatPacket(
        id=_message_id(fields.get("id")),
        text=text,
        timestamp=_timestamp(fields.get("timestamp")),
        form=form,
        private=private or fields.get("private") is True,
        reply_to=_optional_id(fields.get("replyTo")),
    )


def _message_id(value: object) -> str:
    """The sender's id; one of ours where there is none. Numbers are ids too (Date.now())."""
    if value is None or value == "":
        return f"msg_{uuid.uuid4().hex}"
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Refusal(400, 'The "id" of a chat packet must be a string.')
    text = str(value)
    if len(text) > MAX_ID_LENGTH:
        raise Refusal(400, f'The "id" of a message may have {MAX_ID_LENGTH} characters.')
    return text


def _optional_id(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= MAX_ID_LENGTH else None


def _timestamp(value: object) -> int:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e16:
        return int(value)
    return int(time.time() * 1000)
