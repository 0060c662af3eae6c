"""Output of a private answer: packets and short streams that only its asker receives.

The SDK's text streams to chosen participants are not private: only their headers are addressed, and
the server sends the content to everybody (livekit-rtc; docs/security.md). Data packets are
addressed as a whole, and so are texts short enough to travel inside their stream's header.
"""

from __future__ import annotations

from livekit import rtc

from agent.contract.packets import AnswerDelta
from agent.inbox.message import IncomingMessage
from agent.replies.reply_output import Ending, ReplyOutput
from agent.replies.stream_ids import stream_id
from agent.sdk.native_sending import begin_text
from agent.wire.attributes import (
    PRIVATE,
    SCOPE,
    SEGMENT_ID,
    TRANSCRIPTION_FINAL,
    position_attribute,
    question_attributes,
    question_fields,
)
from agent.wire.client_protocols import ClientProtocols
from agent.wire.envelope import ENVELOPE_BYTES, MAX_PACKET_BYTES, split_text
from agent.wire.publish import publish

MAX_INLINE_BYTES = 10_000
"""Bytes of text in a header. 14,000 bytes with few attributes were measured to fit."""

SNAPSHOT_WINDOW = 0.2
"""Seconds between two snapshots: each repeats the text so far."""


class PrivatePacketOutput(ReplyOutput):
    """Data packets addressed to the asker, on the first reply topic; every SDK can read them.

    `{type: "delta", id, inReplyTo, position, seq, text}`, the last one with `final: true`,
    `finishReason`, `textLength` and `sha256`.
    """

    def __init__(
        self, room: rtc.Room, topic: str, message: IncomingMessage, segment_id: str
    ) -> None:
        super().__init__(f"{topic} (private)")
        self._room = room
        self._topic = topic
        self._message = message
        self._segment_id = segment_id
        self._seq = 0

    async def write(self, text: str) -> None:
        for part in split_text(text, MAX_PACKET_BYTES - ENVELOPE_BYTES):
            await self._send(self._delta(part))

    async def close(self, ending: Ending) -> None:
        delta = self._delta("")
        delta["final"] = True
        delta["finishReason"] = ending.finish_reason
        delta["textLength"] = ending.text_length
        delta["sha256"] = ending.sha256
        await self._send(delta)

    def _delta(self, text: str) -> AnswerDelta:
        """Adds a piece of text."""
        delta: AnswerDelta = {
            "type": "delta",
            "id": self._segment_id,
            **question_fields(self._message.question_key),
            "seq": self._seq,
            "text": text,
        }
        if self._message.answer_position is not None:
            delta["position"] = self._message.answer_position
        self._seq += 1
        return delta

    async def _send(self, delta: AnswerDelta) -> None:
        await publish(self._room, delta, topic=self._topic, to=[self._message.sender.identity])


class SnapshotOutput(ReplyOutput):
    """Text streams to the asker, each with all that was said so far, for clients that replace the
    text of a segment as official UIs do. Those of one segment and topic have one stream id.

    Each is small enough to travel inside its addressed header; what goes beyond starts another
    segment. Nothing at all is sent to a client that would get the text in chunks.
    """

    window = SNAPSHOT_WINDOW

    def __init__(
        self,
        room: rtc.Room,
        topics: tuple[str, ...],
        message: IncomingMessage,
        segment_id: str,
        protocols: ClientProtocols,
    ) -> None:
        super().__init__("private snapshots")
        self._room = room
        self._topics = topics
        self._message = message
        self._segment_id = segment_id
        self._protocols = protocols
        self._suits: bool | None = None
        self._sid: str | None = None
        self._text = ""
        self._segment = 0

    async def write(self, text: str) -> None:
        first, *others = split_text(self._text + text, MAX_INLINE_BYTES)
        await self._send(first, final=bool(others))
        for index, part in enumerate(others, start=1):
            self._segment += 1
            await self._send(part, final=index < len(others))
        self._text = others[-1] if others else first

    async def close(self, ending: Ending) -> None:
        await self._send(self._text, final=True, ending=ending)

    async def _send(self, text: str, *, final: bool, ending: Ending | None = None) -> None:
        if not await self._suits_the_asker():
            return
        segment_id = self._segment_id + (f".{self._segment}" if self._segment else "")
        attributes = {
            **question_attributes(self._message.question_key),
            SCOPE: PRIVATE,
            SEGMENT_ID: segment_id,
            TRANSCRIPTION_FINAL: "true" if final else "false",
            **position_attribute(self._message.answer_position),
        }
        if ending is not None:
            attributes["finish_reason"] = ending.finish_reason
            attributes["text_length"] = str(ending.text_length)
            attributes["sha256"] = ending.sha256
        for topic in self._topics:
            await begin_text(
                self._room,
                text,
                topic=topic,
                stream_id=stream_id(segment_id, topic),
                attributes=attributes,
                to=[self._message.sender.identity],
            ).settled()

    async def _suits_the_asker(self) -> bool:
        identity = self._message.sender.identity
        participant = self._room.remote_participants.get(identity)
        sid = None if participant is None else participant.sid
        if sid is None or (self._sid is not None and sid != self._sid):
            # Unknown, or back with a possibly different client.
            self._suits = False
        if self._suits is None:
            self._sid = sid
            self._suits = await self._protocols.reads_headers(identity)
        return self._suits
