"""Messages of the history as callers get them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import cast

from agent.author_label import display_name
from agent.contract.messages import Attachment as AttachmentShape
from agent.contract.messages import PartsPage, Reaction, StoredMessage
from agent.contract.parts import Part
from agent.history.message import Attachment, Message
from agent.rpc.answer_delivery import INLINE_BYTES
from agent.wire.envelope import encode, split_text

PAGE_BYTES = INLINE_BYTES - 256
"""Bytes of JSON in the messages of a page, which leaves room for the rest of the page. Every client
can read such a page in a response, and most get even a private one there."""

PARTS_BYTES = 6_000
"""Bytes of JSON in the parts of a message beside its text; getMessage returns longer ones
separately."""

REACTION_BYTES = 2_000
"""Bytes of identities in the reactions to one message."""


def as_shape(message: Message, *, parts_bytes: int | None = PARTS_BYTES) -> StoredMessage:
    """A message on the wire; fields that do not apply are left out.

    Args:
        parts_bytes: bound of the parts; where they have more, `partsOmitted` says how many there
            are. None: no bound.
    """
    parts: list[object] | None = None if message.parts is None else json.loads(message.parts)
    omits = parts_bytes is not None and len((message.parts or "").encode()) > parts_bytes
    fields: dict[str, object] = {
        "id": message.id,
        "thread": message.thread.id,
        "role": message.role,
        "senderId": message.sender_id,
        "senderName": display_name(message.sender_name),
        "text": message.text,
        "timestamp": message.timestamp,
        "position": message.position,
        "editedAt": message.edited_at,
        "inReplyTo": message.in_reply_to,
        "inReplyToSenderId": message.in_reply_to_sender,
        "finishReason": message.finish_reason,
        "agent": message.agent,
        "reactions": _reactions(message) or None,
        "attachments": [attachment_shape(each) for each in message.attachments] or None,
        "parts": None if omits else parts,
        "partsOmitted": len(parts) if omits and parts is not None else None,
    }
    present = {name: value for name, value in fields.items() if value is not None}
    return cast("StoredMessage", present)


def parts_from(message: Message, first: int) -> PartsPage:
    """The parts of a message, from one on (counted from 0), as many as fit into a page, but one at
    least. `nextPart` is the first one of the next page; without it, this is the last page.

    Raises:
        ValueError: there is no such part.
    """
    parts: list[Part] = [] if message.parts is None else json.loads(message.parts)
    if first >= len(parts) and first:
        raise ValueError("beyond the last part")
    fitting: list[Part] = []
    size = 0
    for part in parts[first:]:
        size += len(encode({"": part}))
        if fitting and size > PAGE_BYTES:
            break
        fitting.append(part)
    answer: PartsPage = {"id": message.id, "parts": fitting}
    end = first + len(fitting)
    if end < len(parts):
        answer["nextPart"] = end
    return answer


def attachment_shape(attachment: Attachment) -> AttachmentShape:
    """A file on the wire, without its content."""
    return {
        "id": attachment.id,
        "name": attachment.name,
        "type": attachment.type,
        "size": attachment.size,
        "sha256": attachment.sha256,
    }


def _reactions(message: Message) -> list[Reaction]:
    """Each reaction with its count, and as many identities as fit."""
    left = REACTION_BYTES
    shapes: list[Reaction] = []
    for reaction in message.reactions:
        shown: list[str] = []
        for identity in reaction.identities:
            left -= len(identity.encode()) + len('"",')
            if left < 0:
                break
            shown.append(identity)
        shapes.append(
            {"emoji": reaction.emoji, "count": len(reaction.identities), "identities": shown}
        )
    return shapes


def as_part(message: Message, offset: int = 0) -> StoredMessage:
    """A message with as much of its text as fits into a page, from an offset on.

    Offsets and `textLength` are bytes of UTF-8. `nextOffset` is the offset of the next page; the
    last page has none. A cut text has `truncated`.

    Raises:
        ValueError: no part begins at the offset.
    """
    data = message.text.encode()
    if offset > len(data):
        raise ValueError("beyond the end of the text")
    try:
        rest = data[offset:].decode()
    except UnicodeDecodeError:
        raise ValueError("within a character") from None
    about: dict[str, object] = {
        "truncated": True,
        "textLength": len(data),
        "offset": offset,
        "nextOffset": len(data),
    }
    room = PAGE_BYTES - len(encode(as_shape(replace(message, text="")) | about)) - 1
    # No character takes less than a byte: later text cannot be in this part.
    text = split_text(rest[:room], room)[0]
    about["nextOffset"] = offset + len(text.encode())
    if about["nextOffset"] == len(data):
        del about["nextOffset"]
        if offset == 0:
            del about["truncated"]
    return cast("StoredMessage", as_shape(message) | about | {"text": text})
