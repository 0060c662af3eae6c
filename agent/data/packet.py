"""Reads data packets, in any of the known JSON forms.

- `{"type": "poll", "content": …}`, with `id` and `timestamp` beside them
- `{"topic": "poll", "payload": …}`
- the fields themselves beside `type` or `topic`
- on packet topic `poll`: any of these, the content alone, or text that is no JSON
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar, cast

from agent.history.message import MAX_ID_LENGTH
from agent.inbox.message import Sender
from agent.unicode_text import has_half_pair, is_well_formed
from agent.wire.refusal import Refusal

Content = TypeVar("Content")

_ENVELOPE: Final = frozenset({"type", "topic", "senderId", "senderName"})
_WRAPPERS: Final = ("payload", "content")

LOOKED_AT: Final = 1_000
"""Characters of a packet without topic that is no JSON, in which the name of one is looked for."""

HALF_PAIR: Final = "The packet has half of a surrogate pair: text that was cut inside a character."

_NAMED: Final = re.compile(r'"(?:topic|type)" ?: ?"(?P<name>[^"\\]{1,256})"')


class UnknownTopic(Exception):  # noqa: N818 - an answer, as a Refusal is
    """A packet about something that nobody here handles: the app's own."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@dataclass(frozen=True, slots=True)
class Packet(Generic[Content]):
    """One packet, from a person.

    Attributes:
        type: the name under which its handler was registered.
        sender: the sender, as the server names it; the packet's own claims are ignored.
        id: the sender's id for it; empty if it has none.
        content: a topic's model, or the JSON value as it came.
        fields: the content's fields together with those beside it, the content's first.
        body: all of its JSON, as it came.
        timestamp: ms since 1970, of its sender's clock; of our clock, if it has no sensible one.
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
    """Reads a packet. A topic in its JSON takes precedence over its packet topic.

    Raises:
        Refusal: (400) it is about a known topic, and malformed.
        UnknownTopic: it is about none of the `known` names, as far as can be seen.
    """
    if packet_topic and packet_topic not in known:
        raise UnknownTopic(packet_topic)
    text = _decode(data, packet_topic)
    body = _read_json(text, packet_topic, known)
    name = _name(body, packet_topic)
    if name not in known:
        raise UnknownTopic(name)
    rest = {key: value for key, value in body.items() if key not in _ENVELOPE}
    content = next((rest.pop(key) for key in _WRAPPERS if key in rest), rest)
    fields = rest | _fields(content)
    packet_id = _id(body.get("id", fields.get("id")))
    if has_half_pair(text):
        raise Refusal(400, HALF_PAIR, message_id=packet_id or None)
    return Packet(
        type=name,
        sender=sender,
        id=packet_id,
        content=content,
        fields=fields,
        timestamp=_timestamp(fields.get("timestamp")),
        body=body,
    )


def _decode(data: bytes, packet_topic: str) -> str:
    try:
        return data.decode("utf-8-sig")  # Some encoders put a byte order mark in front.
    except UnicodeDecodeError:
        if not packet_topic:
            raise UnknownTopic("") from None
        raise Refusal(400, "The packet is not valid UTF-8.") from None


def _read_json(text: str, packet_topic: str, known: Container[str]) -> Mapping[str, Any]:
    """The packet's object; any other JSON is the content of a packet with a packet topic."""
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        if not packet_topic:
            raise _broken(text, known) from None
        value = text
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)
    if not packet_topic:
        raise UnknownTopic("")
    return {"content": value if isinstance(value, str) else text}


def _broken(text: str, known: Container[str]) -> Refusal | UnknownTopic:
    """Classifies text that is not JSON: a broken packet of a topic, or the app's own."""
    named = _NAMED.search(text, 0, LOOKED_AT)
    if named is not None and named["name"] in known:
        return Refusal(400, "The packet is not valid JSON.")
    return UnknownTopic("")


def _name(body: Mapping[str, Any], packet_topic: str) -> str:
    """The topic that a packet names; empty if it names none."""
    names = (body.get("topic"), body.get("type"), packet_topic)
    return next((each for each in names if isinstance(each, str) and each), "")


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
    if not is_well_formed(text):
        raise Refusal(400, HALF_PAIR)
    return text


def _timestamp(value: object) -> int:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e16:
        return int(value)
    return int(time.time() * 1000)
