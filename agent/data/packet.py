"""What a data packet says, whichever of the known JSON forms it has.

- `{"type": "poll", "content": …}`, with `id` and `timestamp` beside them
- `{"topic": "poll", "payload": …}`
- the fields themselves beside `type` or `topic`
- on packet topic `poll`: any of these, the content alone, or text that is no JSON
"""

from __future__ import annotations

import json
import time
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar, cast

from agent.history.message import MAX_ID_LENGTH
from agent.inbox.message import Sender
from agent.wire.refusal import Refusal

Content = TypeVar("Content")

_ENVELOPE: Final = frozenset({"type", "topic", "senderId", "senderName"})
_WRAPPERS: Final = ("payload", "content")


class UnknownTopic(Exception):  # noqa: N818 - an answer, as a Refusal is
    """A packet about something that nobody here handles."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@dataclass(frozen=True, slots=True)
class Packet(Generic[Content]):
    """One packet, from a person.

    Attributes:
        type: what it is about: the name under which its handler was registered.
        sender: who sent it, in the server's words; what the packet says of that is left out.
        id: the sender's id for it; empty if it has none.
        content: what it says: a topic's model, or the JSON value as it came.
        fields: the content's fields together with those beside it, the content's first.
        body: all of its JSON, as it came.
        timestamp: ms since 1970, of its sender's clock; of ours, if it says nothing sensible.
    """

    type: str
    sender: Sender
    id: str
    content: Content = field(repr=False)
    fields: Mapping[str, Any] = field(repr=False)
    timestamp: int
    body: Mapping[str, Any] = field(repr=False)


def read_packet(
    data: bytes, packet_topic: str, sender: Sender, known: Container[str]
) -> Packet[Any]:
    """What a packet says. What its JSON says it is about counts before its packet topic.

    Raises:
        Refusal: (400) it is malformed.
        UnknownTopic: it is about none of the `known` names.
    """
    if packet_topic and packet_topic not in known:
        raise UnknownTopic(packet_topic)
    body = _read_json(data, default_type=packet_topic)
    name = body.get("topic", body.get("type", packet_topic or None))
    if not isinstance(name, str):
        raise Refusal(400, 'The packet says neither what "type" nor what "topic" it is.')
    if name not in known:
        raise UnknownTopic(name)
    rest = {key: value for key, value in body.items() if key not in _ENVELOPE}
    content = next((rest.pop(key) for key in _WRAPPERS if key in rest), rest)
    fields = rest | _fields(content)
    return Packet(
        type=name,
        sender=sender,
        id=_id(body.get("id", fields.get("id"))),
        content=content,
        fields=fields,
        timestamp=_timestamp(fields.get("timestamp")),
        body=body,
    )


def _read_json(data: bytes, default_type: str) -> Mapping[str, Any]:
    """The packet's object; anything else is the content of a packet that has a packet topic."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Refusal(400, "The packet is not valid UTF-8.") from None
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        if not default_type:
            raise Refusal(400, "The packet is not valid JSON.") from None
        value = text
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)
    if not default_type:
        raise Refusal(400, "The packet is not a JSON object.")
    return {"content": value if isinstance(value, str) else text}


def _fields(content: object) -> dict[str, Any]:
    return cast("dict[str, Any]", content) if isinstance(content, dict) else {"content": content}


def _id(value: object) -> str:
    """Numbers are ids too (Date.now())."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Refusal(400, 'The "id" of a packet must be a string.')
    text = str(value)
    if len(text) > MAX_ID_LENGTH:
        raise Refusal(400, f'The "id" of a packet may have {MAX_ID_LENGTH} characters.')
    return text


def _timestamp(value: object) -> int:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e16:
        return int(value)
    return int(time.time() * 1000)
