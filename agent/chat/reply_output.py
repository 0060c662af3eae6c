"""Where an answer goes while it is made: text streams to the room, packets to those who need them.

Each output writes at its own pace. Whatever arrives while a write is under way leaves as one chunk
with the next: a lone token goes out at once, a burst of hundreds in a handful of writes.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

from livekit import rtc
from livekit.rtc.data_stream import StreamError, TextStreamWriter
from livekit.rtc.participant import PublishDataError

from agent.chat.message import Form, IncomingMessage
from agent.chat.packets import LEGACY_CHAT_TOPIC
from agent.wire.envelope import MAX_PACKET_BYTES, encode, envelope, split_text

logger = logging.getLogger(__name__)

FinishReason = Literal["stop", "length", "interrupted", "cancelled", "error"]
WRITE_TIMEOUT = 10.0
ENVELOPE_BYTES = 1_500
"""Set aside in a packet for everything but the text: ids, names, hash."""

TRANSCRIPTION_FINAL = "lk.transcription_final"
SEGMENT_ID = "lk.segment_id"


@dataclass(frozen=True, slots=True)
class Ending:
    """How an answer ended.

    Attributes:
        text: all of it.
        text_length: its length in bytes of UTF-8.
        sha256: of those bytes, in hex.
    """

    finish_reason: FinishReason
    text: str
    text_length: int
    sha256: str


class ReplyOutput(ABC):
    """One way out of an answer. `push` never waits; one task of its own does the writing."""

    window: float = 0.0
    """Seconds to let text gather between two writes."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._waiting: list[str] = []
        self._changed = asyncio.Event()
        self._ending: Ending | None = None
        self._ended = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def push(self, text: str) -> None:
        """Takes the next piece of the answer."""
        self._waiting.append(text)
        self._wake()

    async def finish(self, ending: Ending) -> None:
        """Writes what is left and the end; returns when all of it is out, or could not be."""
        self._ending = ending
        self._ended.set()
        await self._wake()

    def cancel(self) -> None:
        """Gives up at once, for when the room is gone."""
        if self._task is not None:
            self._task.cancel()

    @abstractmethod
    async def write(self, text: str) -> None:
        """Sends one chunk."""

    @abstractmethod
    async def close(self, ending: Ending) -> None:
        """Sends the end; what was never written has been pushed all the same."""

    def _wake(self) -> asyncio.Task[None]:
        self._changed.set()
        if self._task is None:
            self._task = asyncio.create_task(self._pump(), name=f"reply to {self._name}")
        return self._task

    async def _pump(self) -> None:
        try:
            while True:
                await self._changed.wait()
                self._changed.clear()
                if self._waiting:
                    text = "".join(self._waiting)
                    self._waiting.clear()
                    async with asyncio.timeout(WRITE_TIMEOUT):
                        await self.write(text)
                    await self._gather()
                elif self._ending is not None:
                    break
                if self._waiting or self._ending is not None:
                    self._changed.set()
            async with asyncio.timeout(WRITE_TIMEOUT):
                await self.close(self._ending)
        except (StreamError, PublishDataError, TimeoutError) as error:
            logger.warning("an answer could not be sent on %s: %s", self._name, error)

    async def _gather(self) -> None:
        if self.window and self._ending is None:
            try:
                async with asyncio.timeout(self.window):
                    await self._ended.wait()
            except TimeoutError:
                return


class TopicOutput(ReplyOutput):
    """A text stream to the whole room on one topic, opened with the first text.

    Header attributes: `in_reply_to`, `scope`, `lk.segment_id`, `lk.transcription_final=false`;
    trailer: `lk.transcription_final=true`, `finish_reason`, `text_length`, `sha256`.
    """

    def __init__(
        self, room: rtc.Room, topic: str, attributes: dict[str, str], *, window: float = 0.0
    ) -> None:
        super().__init__(topic)
        self.window = window
        self._room = room
        self._topic = topic
        self._attributes = attributes
        self._writer: TextStreamWriter | None = None

    async def write(self, text: str) -> None:
        await (await self._opened()).write(text)

    async def close(self, ending: Ending) -> None:
        writer = await self._opened()
        await writer.aclose(
            attributes={
                TRANSCRIPTION_FINAL: "true",
                "finish_reason": ending.finish_reason,
                "text_length": str(ending.text_length),
                "sha256": ending.sha256,
            }
        )

    async def _opened(self) -> TextStreamWriter:
        if self._writer is None:
            self._writer = await self._room.local_participant.stream_text(
                topic=self._topic, attributes=self._attributes
            )
        return self._writer


class PacketOutput(ReplyOutput):
    """The finished answer as chat packets, for a question that came as one.

    `{id, type: "chat", senderId, senderName, content, text, timestamp, inReplyTo, finishReason}`,
    in parts of at most 14,000 bytes; several parts share an id and say `part` and `parts`, from 1.
    On `lk-chat-topic` the form is `{id, timestamp, message, ignoreLegacy: true}`, which clients
    that read streams leave aside.
    """

    def __init__(self, room: rtc.Room, message: IncomingMessage, segment_id: str) -> None:
        super().__init__("data packets")
        self._room = room
        self._message = message
        self._segment_id = segment_id

    async def write(self, text: str) -> None:
        """Nothing: packets carry the whole answer, at its end."""

    async def close(self, ending: Ending) -> None:
        # The text stands under two names in a packet, so a part may take half of it.
        parts = split_text(ending.text, (MAX_PACKET_BYTES - ENVELOPE_BYTES) // 2)
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
                "finishReason": ending.finish_reason,
                "part": part if parts > 1 else None,
                "parts": parts if parts > 1 else None,
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
        await local.publish_data(
            encode(message),
            topic=topic,
            destination_identities=[self._message.sender.identity] if self._message.private else [],
        )


class PrivateOutput(ReplyOutput):
    """An answer for one participant alone: data packets addressed to them, on `llm-response`.

    `{type: "delta", id, inReplyTo, seq, text}`, the last one with `final: true`, `finishReason`,
    `textLength` and `sha256`. Addressed packets are private on the wire for every SDK, which the
    SDK's addressed text streams are not.
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
            await self._send({"text": part})

    async def close(self, ending: Ending) -> None:
        await self._send(
            {
                "text": "",
                "final": True,
                "finishReason": ending.finish_reason,
                "textLength": ending.text_length,
                "sha256": ending.sha256,
            }
        )

    async def _send(self, fields: dict[str, object]) -> None:
        delta: dict[str, object] = {
            "type": "delta",
            "id": self._segment_id,
            "inReplyTo": self._message.id,
            "seq": self._seq,
            **fields,
        }
        self._seq += 1
        await self._room.local_participant.publish_data(
            encode(delta),
            topic=self._topic,
            destination_identities=[self._message.sender.identity],
        )
