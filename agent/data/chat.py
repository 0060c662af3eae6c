"""chat: messages to the agent in data packets."""

from __future__ import annotations

import uuid
from typing import Annotated, Any, Final

from pydantic import AliasChoices, BaseModel, BeforeValidator, Field

from agent.data.packet import Packet
from agent.data.rate import Rate
from agent.data.topic import Topic, TopicHandler
from agent.history.message import MAX_ID_LENGTH
from agent.inbox.message import LEGACY_CHAT_TOPIC, Form, IncomingMessage
from agent.wire.attributes import STORED


def _id_or_none(value: object) -> object:
    return value if isinstance(value, str) and 0 < len(value) <= MAX_ID_LENGTH else None


OptionalId = Annotated[str | None, BeforeValidator(_id_or_none)]
StreamId = Annotated[str, Field(min_length=1, max_length=MAX_ID_LENGTH)]
OnlyTrue = Annotated[bool, BeforeValidator(lambda value: value is True)]

MAX_ATTACHMENTS: Final = 100
"""Ids of files in one packet; MAX_FILES may allow fewer."""


class ChatContent(BaseModel):
    """A message.

    Attributes:
        id: the message's id; it takes precedence over the packet's own.
        private: asks for an answer that only its sender gets.
        reply_to: id of the message that it answers.
        attachments: ids of the byte streams of its files.
        ack: `stored`: its sender asks for a notice when it is stored.
        ignore_legacy: the packet is a copy of a text stream (livekit's useChat).
    """

    text: str = Field(validation_alias=AliasChoices("text", "message", "content"))
    id: Annotated[str, BeforeValidator(str)] = Field("", max_length=MAX_ID_LENGTH)
    private: OnlyTrue = False
    reply_to: OptionalId = Field(None, validation_alias="replyTo")
    attachments: Annotated[tuple[StreamId, ...], Field(max_length=MAX_ATTACHMENTS)] = ()
    ack: object = None
    ignore_legacy: OnlyTrue = Field(False, validation_alias="ignoreLegacy")


def _form(packet: Packet[ChatContent]) -> Form:
    """A sender reads the answer's text from the field in which they sent their own."""
    body = packet.body
    if "topic" in body:
        is_text = isinstance(body.get("payload", body.get("content")), str)
        return Form.TOPIC_TEXT_PACKET if is_text else Form.TOPIC_PACKET
    has_message = "message" in packet.fields and "text" not in packet.fields
    return Form.MESSAGE_PACKET if has_message else Form.PACKET


class ChatHandler(TopicHandler[ChatContent]):
    """Hands messages to the room's inbox."""

    def take(self, packet: Packet[ChatContent]) -> None:
        content = packet.content
        legacy = packet.type == LEGACY_CHAT_TOPIC
        if legacy and content.ignore_legacy:
            return
        self.room.take_message(
            IncomingMessage(
                id=content.id or f"msg_{uuid.uuid4().hex}",
                sender=packet.sender,
                text=content.text,
                timestamp=packet.timestamp,
                form=Form.LEGACY if legacy else _form(packet),
                private=content.private,
                reply_to=content.reply_to,
                wants_ack=content.ack == STORED,
            ),
            content.attachments,
        )


CHAT: Final[Topic[Any]] = Topic(
    "chat",
    content=ChatContent,
    handler=ChatHandler,
    # The inbox and the conversations have bounds of their own: every message has its refusal.
    rate=Rate(per_second=1_000, burst=2_000),
    aliases=(LEGACY_CHAT_TOPIC,),
)
