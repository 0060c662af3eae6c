"""ReplyStream: sends one answer over all its outputs."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import logging
from collections.abc import Callable, Collection
from typing import Any

from livekit import rtc

from agent.contract.finish_reason import FinishReason
from agent.inbox.message import Form, IncomingMessage
from agent.parts.answer_parts import AnswerParts
from agent.parts.part_stream import PartStream
from agent.replies.packet_output import PacketOutput
from agent.replies.private_output import PrivatePacketOutput, SnapshotOutput
from agent.replies.renewed_output import RenewedOutput
from agent.replies.replay import Replay
from agent.replies.reply_output import WRITE_TIMEOUT, Ending, ReplyOutput
from agent.replies.stream_ids import StreamIds, stream_id
from agent.replies.topic_output import TopicOutput
from agent.replies.transcription_output import TranscriptionOutput
from agent.unicode_text import well_formed
from agent.wire.attributes import (
    PRIVATE,
    ROOM,
    SCOPE,
    SEGMENT_ID,
    TRANSCRIBED_TRACK,
    TRANSCRIPTION_FINAL,
    agent_attribute,
    position_attribute,
    question_attributes,
    question_fields,
)
from agent.wire.client_protocols import ClientProtocols
from agent.wire.notices import Notices

logger = logging.getLogger(__name__)

MIRROR_WINDOW = 0.2
"""Seconds between two writes on the second and further reply topics: each write costs a round trip
into the native library, and a reader of a mirror does not notice the delay."""

MAX_REPLY_BYTES = 1_048_576
"""Longest answer; longer text is cut off, with finish reason `length`."""


MakeParts = Callable[["ReplyStream"], AnswerParts]


class ReplyStream:
    """Writes one answer to the reply topics (or privately), then says that it has ended.

    `push` takes text and never waits; `finish` returns when everything is out.

    Attributes:
        on_first_text: called with the first text.
        on_first_sent: called when somebody may have seen that the answer has begun.
        on_end: called with the ending, before it is sent.
        asker: identity of the one whose message it answers.
        private: whether it goes to the asker alone.
        opened_at, began_at, ended_at: moments (`loop.time()`, s) of its creation, its first write
            and its end; the last two once they have happened.
        ended: set at the end.
    """

    def __init__(  # noqa: PLR0913 - what an answer goes out with
        self,
        room: rtc.Room,
        message: IncomingMessage,
        segment_id: str,
        *,
        topics: tuple[str, ...],
        notices: Notices,
        protocols: ClientProtocols,
        stream_ids: StreamIds,
        make_parts: MakeParts,
        is_renewed: bool = False,
        track_sid: str | None = None,
        agent: str | None = None,
    ) -> None:
        """
        Args:
            make_parts: makes the AnswerParts, once there are parts.
            is_renewed: whether something may have gone out under the segment id before.
            track_sid: the track on which the answer is spoken besides, if it is.
            agent: name of the agent of the app that answers, if there are several.
        """
        self.agent = self._first_agent = agent
        self.segment_id = segment_id
        self._room = room
        self._topics = topics
        self._message = message
        self._track_sid = track_sid
        self._notices = notices
        self._protocols = protocols
        self._stream_ids = stream_ids
        self._make_parts = make_parts
        self._is_renewed = is_renewed
        self.on_first_text: Callable[[], None] | None = None
        self.on_first_sent: Callable[[], None] | None = None
        self.on_end: Callable[[Ending], None] | None = None
        self.asker = message.sender.identity
        self.private = message.private
        self.opened_at = asyncio.get_running_loop().time()
        self.began_at: float | None = None
        self._first_text_at: float | None = None
        self.ended_at: float | None = None
        self.ended = asyncio.Event()
        self._ending: Ending | None = None
        self._texts: list[str] = []
        self._parts: AnswerParts | None = None
        self._size = 0
        self._outputs = self._open_outputs()
        self._copies: list[Replay] = []

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._texts)

    @property
    def parts(self) -> AnswerParts:
        """The parts beside the answer's text. An answer of text alone never asks for them."""
        if self._parts is None:
            self._parts = self._make_parts(self)
        return self._parts

    def open_parts(self, listeners: Collection[str]) -> PartStream:
        """A stream of parts to these identities, or to all who see the answer if none are given."""
        to = sorted(listeners) or ([self.asker] if self.private else [])
        return PartStream(self._room, self.segment_id, self._attributes_of_parts, to)

    @property
    def units(self) -> int:
        """Length of the text so far, in UTF-16 code units."""
        return len(self.text.encode("utf-16-le")) // 2

    @property
    def started(self) -> bool:
        return self._size > 0

    @property
    def first_text_after(self) -> float | None:
        """Seconds from its creation to its first text; None: there is none yet."""
        return None if self._first_text_at is None else self._first_text_at - self.opened_at

    @property
    def seconds(self) -> float:
        """Seconds from its creation until now."""
        return asyncio.get_running_loop().time() - self.opened_at

    @property
    def full(self) -> bool:
        return self._size >= MAX_REPLY_BYTES

    def open(self) -> None:
        """Opens the streams to the room while the model is working.

        That takes a round trip into the native library, which the first text then saves; and
        clients learn at once that their question is being answered.
        """
        if self.private or self.began_at is not None or self._ending is not None:
            return
        self.began_at = asyncio.get_running_loop().time()
        for output in self._outputs:
            output.open()

    def push(self, text: str) -> None:
        """Adds a piece of text."""
        if not text or self.full:
            return
        if first := not self.started:
            self._first_text_at = asyncio.get_running_loop().time()
            self.began_at = self.began_at or self._first_text_at
        encoded = well_formed(text).encode()
        if self._size + len(encoded) > MAX_REPLY_BYTES:
            encoded = encoded[: MAX_REPLY_BYTES - self._size]
            self._size = MAX_REPLY_BYTES
            logger.warning("answer cut off at %s bytes", MAX_REPLY_BYTES)
        else:
            self._size += len(encoded)
        text = encoded.decode(errors="ignore")
        self._texts.append(text)
        for output in (*self._outputs, *self._copies):
            output.push(text)
        if first and self.on_first_text is not None:
            self.on_first_text()

    async def begun(self) -> None:
        """Returns when the first text of a complete answer has been sent, if there is any, or
        cannot be. The beginning of the answer is no longer reported: it is stored as a whole."""
        self.on_first_sent = None
        if self.started:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(WRITE_TIMEOUT):
                    await self._outputs[0].begun.wait()

    def _first_was_sent(self) -> None:
        if self.on_first_sent is not None:
            self.on_first_sent()
            self.on_first_sent = None

    def ending(self, reason: FinishReason, heard: str | None = None) -> Ending:
        """The text so far, as the whole answer; `heard`: the part that was spoken."""
        text = self.text
        data = text.encode()
        return Ending(
            finish_reason="length" if self.full and reason == "stop" else reason,
            text=text,
            text_length=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            heard=heard,
            parts=None if self._parts is None else self._parts.end(),
        )

    async def finish(self, ending: Ending) -> bool:
        """Ends the answer on every output and announces the end; whether all of it was sent.

        Copies for those who came later do not count.
        """
        self._ending = ending
        self.ended_at = asyncio.get_running_loop().time()
        self.ended.set()
        if self.on_end is not None:
            self.on_end(ending)
        own = tuple(self._outputs)
        outputs = (*own, *self._copies)
        endings: list[asyncio.Future[Any]] = [output.end(ending) for output in outputs]
        try:
            await asyncio.gather(*endings)
        except asyncio.CancelledError:
            for output in outputs:
                output.cancel()
            raise
        self._copies.clear()
        if self._parts is not None or self._is_renewed:
            await self.parts.finish(_end_of_parts(ending), even_empty=self._is_renewed)
        self._tell_end(self.asker if self.private else None, ending)
        return not any(output.failed for output in own)

    async def tell_again(self, ending: Ending) -> bool:
        """Sends an answer that ended before once more, to all who see it; returns as `finish`."""
        self.parts.restore(ending.parts, _end_of_parts(ending))
        self.push(ending.text)
        return await self.finish(ending)

    async def give_again(self, ending: Ending) -> None:
        """Sends an answer that has ended once more, only to its asker."""
        if self.private:
            await self.tell_again(ending)
            return
        self.parts.restore(ending.parts, _end_of_parts(ending))
        self._texts.append(ending.text)
        self._size = ending.text_length
        self._ending = ending
        await self.repeat([self.asker])

    @property
    def copies(self) -> int:
        """Copies that are being sent beside the answer."""
        return len(self._copies)

    async def repeat(self, listeners: Collection[str]) -> None:
        """Replays an answer to the room, from its beginning, to participants who have just joined.

        Returns at once; if the answer has ended, once all of it is sent.
        """
        stream_ids = self._stream_ids.of_copy(self.segment_id, self._topics, listeners)
        copy = Replay(self._room, stream_ids, self._attributes, listeners)
        if self.started:
            copy.push(self.text)
        if self._ending is None:
            self._copies.append(copy)
            await self._repeat_parts(listeners)
            return
        try:
            await copy.end(self._ending)
            await self._repeat_parts(listeners)
        finally:
            copy.cancel()
        for identity in listeners:
            self._tell_end(identity, self._ending)

    async def _repeat_parts(self, listeners: Collection[str]) -> None:
        if self._parts is not None:
            await self._parts.repeat(listeners)

    def begin_again(self) -> None:
        """Sends a private answer from its beginning to its asker, who is back with a new client."""
        for output in self._outputs:
            output.cancel()
        self._outputs = self._open_outputs()
        for output in self._outputs:
            output.push(self.text)
        if self._parts is not None:
            self._parts.begin_again()

    def is_addressed_to_others(self, identity: str) -> bool:
        """Whether the streams to the room are addressed to participants who were there, and not to
        this one."""
        return any(
            isinstance(output, RenewedOutput)
            and output.addressed
            and identity not in output.addressed
            for output in self._outputs
        )

    def forget_listener(self, identity: str) -> None:
        """Cancels copies that were only for somebody who has left."""
        for copy in list(self._copies):
            copy.listeners.discard(identity)
            if not copy.listeners:
                self._copies.remove(copy)
                copy.cancel()
        if self._parts is not None:
            self._parts.forget_listener(identity)

    @property
    def _attributes_of_parts(self) -> dict[str, str]:
        """Attributes in the header of a stream of parts, public or private."""
        return {
            **question_attributes(self._message.question_key),
            SCOPE: PRIVATE if self.private else ROOM,
            SEGMENT_ID: self.segment_id,
            **position_attribute(self._message.answer_position),
            **agent_attribute(self._first_agent),
        }

    @property
    def _attributes(self) -> dict[str, str]:
        """Attributes in the header of a stream to the room."""
        attributes = {
            **question_attributes(self._message.question_key),
            **agent_attribute(self._first_agent),
            SCOPE: ROOM,
            SEGMENT_ID: self.segment_id,
            TRANSCRIPTION_FINAL: "false",
            **position_attribute(self._message.answer_position),
        }
        if self._track_sid is not None:
            attributes[TRANSCRIBED_TRACK] = self._track_sid
        return attributes

    def _tell_end(self, identity: str | None, ending: Ending) -> None:
        self._notices.tell(
            identity,
            "answer.finished",
            "",
            segmentId=self.segment_id,
            **question_fields(self._message.question_key),
            position=self._message.answer_position,
            finishReason=ending.finish_reason,
            **({} if self.agent is None else {"agent": self.agent}),
        )

    def _open_outputs(self) -> list[ReplyOutput]:
        room, topics, message = self._room, self._topics, self._message
        outputs: list[ReplyOutput] = []
        if self.private:
            outputs.append(PrivatePacketOutput(room, topics[0], message, self.segment_id))
            outputs.append(SnapshotOutput(room, topics, message, self.segment_id, self._protocols))
        else:
            for topic in topics:
                output = self._open_output(topic, window=MIRROR_WINDOW if outputs else 0.0)
                if outputs:
                    output.after = outputs[0]
                outputs.append(output)
        if message.form not in {Form.STREAM, Form.SPEECH, Form.OWN}:
            outputs.append(PacketOutput(room, message, self.segment_id))
        if self._track_sid is not None and not self.private:
            outputs.append(TranscriptionOutput(room, self.segment_id, self._track_sid))
        outputs[0].on_first_written = self._first_was_sent
        return outputs

    def _open_output(self, topic: str, *, window: float) -> ReplyOutput:
        """The answer's output to the room on one topic."""
        if self._is_renewed:
            addresses = functools.partial(self._stream_ids.of_renewed, self.segment_id, topic)
            return RenewedOutput(self._room, topic, self._attributes, addresses, window=window)
        return TopicOutput(
            self._room,
            topic,
            self._attributes,
            stream_id=stream_id(self.segment_id, topic),
            window=window,
        )


def _end_of_parts(ending: Ending) -> dict[str, str]:
    """The trailer's attributes of a stream of parts."""
    return {"finish_reason": ending.finish_reason}
