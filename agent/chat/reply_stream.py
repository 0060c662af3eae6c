"""One answer on its way out, over every output that it goes to."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable

from livekit import rtc

from agent.chat.message import Form, IncomingMessage
from agent.chat.packet_output import PacketOutput
from agent.chat.people import Directory
from agent.chat.private_output import PrivatePacketOutput, SnapshotOutput
from agent.chat.reply_output import (
    SCOPE,
    SEGMENT_ID,
    TRANSCRIPTION_FINAL,
    Ending,
    FinishReason,
    ReplyOutput,
)
from agent.chat.topic_output import TopicOutput
from agent.wire.notices import Notices

logger = logging.getLogger(__name__)

MIRROR_WINDOW = 0.05
"""Seconds between two writes on the second and further reply topics: each write costs a round
trip into the native library, and whoever reads a mirror reads no slower for it."""

MAX_REPLY_BYTES = 1_048_576
"""Longest answer; what the model says beyond it is cut off, with finish reason `length`."""


class ReplyStream:
    """Writes one answer to the reply topics (or privately), then says that it has ended.

    `push` takes text and never waits; `finish` returns when everything is out.
    """

    def __init__(
        self,
        room: rtc.Room,
        message: IncomingMessage,
        segment_id: str,
        *,
        topics: tuple[str, ...],
        notices: Notices,
        directory: Directory,
    ) -> None:
        self.segment_id = segment_id
        self._message = message
        self._notices = notices
        self.on_first_text: Callable[[], None] | None = None
        self._parts: list[str] = []
        self._size = 0
        self._outputs = self._outputs_for(room, topics, directory)

    @property
    def text(self) -> str:
        """What has been said so far."""
        return "".join(self._parts)

    @property
    def started(self) -> bool:
        return self._size > 0

    @property
    def full(self) -> bool:
        return self._size >= MAX_REPLY_BYTES

    def push(self, text: str) -> None:
        """Takes the next piece of text."""
        if not text or self.full:
            return
        first = not self.started
        encoded = text.encode(errors="replace")
        if self._size + len(encoded) > MAX_REPLY_BYTES:
            encoded = encoded[: MAX_REPLY_BYTES - self._size]
            self._size = MAX_REPLY_BYTES
            logger.warning("an answer was cut at %s bytes", MAX_REPLY_BYTES)
        else:
            self._size += len(encoded)
        text = encoded.decode(errors="ignore")
        self._parts.append(text)
        for output in self._outputs:
            output.push(text)
        if first and self.on_first_text is not None:
            self.on_first_text()

    def ending(self, reason: FinishReason) -> Ending:
        """What has been said so far as the whole answer."""
        text = self.text
        data = text.encode()
        return Ending(
            finish_reason="length" if self.full and reason == "stop" else reason,
            text=text,
            text_length=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
        )

    async def finish(self, ending: Ending) -> None:
        """Ends the answer on every output and announces the end."""
        try:
            await asyncio.gather(*(output.finish(ending) for output in self._outputs))
        except asyncio.CancelledError:
            for output in self._outputs:
                output.cancel()
            raise
        self._notices.tell(
            self._message.sender.identity if self._message.private else None,
            "answer.finished",
            "",
            segmentId=self.segment_id,
            inReplyTo=self._message.id,
            finishReason=ending.finish_reason,
        )

    def _outputs_for(
        self, room: rtc.Room, topics: tuple[str, ...], directory: Directory
    ) -> list[ReplyOutput]:
        message = self._message
        outputs: list[ReplyOutput] = []
        if message.private:
            outputs.append(PrivatePacketOutput(room, topics[0], message, self.segment_id))
            outputs.append(SnapshotOutput(room, topics, message, self.segment_id, directory))
        else:
            attributes = {
                "in_reply_to": message.id,
                SCOPE: "room",
                SEGMENT_ID: self.segment_id,
                TRANSCRIPTION_FINAL: "false",
            }
            for index, topic in enumerate(topics):
                window = MIRROR_WINDOW if index else 0.0
                outputs.append(TopicOutput(room, topic, attributes, window=window))
        if message.form is not Form.STREAM:
            outputs.append(PacketOutput(room, message, self.segment_id))
        return outputs
