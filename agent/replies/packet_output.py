"""An answer as data packets, for those who asked by one and read nothing else."""

from __future__ import annotations

from livekit import rtc

from agent.inbox.message import LEGACY_CHAT_TOPIC, Form, IncomingMessage
from agent.replies.reply_output import Ending, ReplyOutput
from agent.wire.envelope import ENVELOPE_BYTES, MAX_PACKET_BYTES, envelope, split_text
from agent.wire.publish import publish


class PacketOutput(ReplyOutput):
    """The finished answer as chat packets, for a question that came as one.

    `{id, type: "chat", senderId, senderName, content, text, timestamp, inReplyTo, position,
    finishReason}`,
    in parts of at most 14,000 bytes; several parts share an id and say `part` and `parts`, from 1.
    To a question that had its text as `message`, the answer has it there, too. An answer to a
    question `{topic, payload}` has these two as well; `payload` is text if the question's was. On
    `lk-chat-topic` the form is `{id, timestamp, message, ignoreLegacy: true}`, which clients that
    read streams ignore.
    """

    def __init__(self, room: rtc.Room, message: IncomingMessage, segment_id: str) -> None:
        super().__init__("data packets")
        self._room = room
        self._message = message
        self._segment_id = segment_id

    async def write(self, text: str) -> None:
        """Does nothing: packets carry the whole answer, at its end."""

    async def close(self, ending: Ending) -> None:
        # A packet has the text under two names, or three, which limits the text of a part.
        copies = 2 if self._message.form is Form.PACKET else 3
        parts = split_text(ending.kept, (MAX_PACKET_BYTES - ENVELOPE_BYTES) // copies)
        for number, part in enumerate(parts, start=1):
            await self._send(part, number, len(parts), ending)

    async def _send(self, text: str, part: int, parts: int, ending: Ending) -> None:
        local = self._room.local_participant
        message = envelope(
            "chat",
            text,
            sender_id=local.identity,
            sender_name=local.name,
            message_id=self._segment_id,
            fields={
                "inReplyTo": self._message.id,
                "inReplyToSenderId": self._message.sender.identity,
                "position": self._message.answer_position,
                "finishReason": ending.finish_reason,
                "part": part if parts > 1 else None,
                "parts": parts if parts > 1 else None,
                **self._in_the_questions_form(text),
            },
        )
        topic = ""
        if self._message.form is Form.LEGACY:
            topic = LEGACY_CHAT_TOPIC
            message = {
                "id": message["id"] if parts == 1 else f"{message['id']}.{part}",
                "timestamp": message["timestamp"],
                "message": text,
                "ignoreLegacy": True,
            }
        await publish(
            self._room,
            message,
            topic=topic,
            to=[self._message.sender.identity] if self._message.private else None,
        )

    def _in_the_questions_form(self, text: str) -> dict[str, object]:
        """Fields that an app reads because it writes them itself."""
        match self._message.form:
            case Form.MESSAGE_PACKET:
                return {"message": text}
            case Form.TOPIC_TEXT_PACKET:
                return {"topic": "chat", "payload": text}
            case Form.TOPIC_PACKET:
                return {"topic": "chat", "payload": {"id": self._segment_id, "text": text}}
            case _:
                return {}
