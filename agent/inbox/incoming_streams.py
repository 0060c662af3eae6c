"""RoomStreams: the text and byte streams of one room, each read as its own sender sent it."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeAlias, TypeVar

from livekit import rtc
from livekit.rtc.data_stream import StreamError

from agent.sdk.stream_record import StreamRecord
from agent.wire.notices import Notices
from agent.wire.refusal import Refusal

if TYPE_CHECKING:
    from livekit.rtc._proto.room_pb2 import (
        DataStreamChunkReceived,
        DataStreamHeaderReceived,
        DataStreamTrailerReceived,
        RoomEvent,
    )

logger = logging.getLogger(__name__)

Piece_co = TypeVar("Piece_co", covariant=True)
Info_co = TypeVar("Info_co", bound=rtc.TextStreamInfo | rtc.ByteStreamInfo, covariant=True)

LATE: Final = 0.2
"""Seconds by which a packet's event may come after the SDK's own handling of the packet."""

MAX_OPEN: Final = 64
"""Streams of one participant whose packets are heard at a time."""

_IN_USE: Final = Refusal(409, "Somebody else has a stream with this id open.")
_TOO_MANY: Final = Refusal(429, "Too many streams at once.", retry_after=1.0)
_NOT_YOURS: Final = Refusal(403, "This stream is somebody else's.")


class ContestedError(Exception):
    """Another participant wrote into the stream, so its content may not be its sender's; or the
    header declares no length, which the SDK cannot read."""


class Reader(Protocol[Piece_co, Info_co]):
    """The common part of the SDK's readers of text and byte streams."""

    @property
    def info(self) -> Info_co: ...
    def __aiter__(self) -> AsyncIterator[Piece_co]: ...
    async def __anext__(self) -> Piece_co: ...
    def close(self) -> None: ...


class IncomingStream(Generic[Piece_co, Info_co]):
    """A stream as the SDK reads it, while no other participant writes into it.

    Iterate over its chunks. On ContestedError discard them: `content` has what the sender sent.
    """

    def __init__(
        self, reader: Reader[Piece_co, Info_co], record: StreamRecord, forget: Callable[[], None]
    ) -> None:
        self._reader = reader
        self._record = record
        self._forget = forget
        # A copy, with the header's attributes: the SDK adds the trailer's to its own.
        self.info: Info_co = dataclasses.replace(reader.info, attributes=dict(record.attributes))

    @property
    def is_contested(self) -> bool:
        """Whether somebody else wrote into it, or it declares no length and has content."""
        return self._record.is_contested or self.is_unsized

    @property
    def is_unsized(self) -> bool:
        """Whether it declares the length 0, and has content."""
        return self._record.is_unsized and self._record.has_packets

    def __aiter__(self) -> AsyncIterator[Piece_co]:
        return self

    async def __anext__(self) -> Piece_co:
        """Raises ContestedError; or StreamError: the sender or the room broke it off."""
        try:
            piece = await anext(self._reader)
        except StopAsyncIteration:
            await self._confirm_end()
            raise
        except StreamError:
            await self._packet_within(LATE)
            if self.is_contested:
                raise ContestedError from None
            raise
        self._check()
        return piece

    async def content(self, silence: float) -> bytes:
        """Everything that its sender sent, without the packets of others.

        Raises:
            TimeoutError: nothing came for `silence` seconds.
            StreamError: it is incomplete.
            NotKeptError: it was too long to keep.
        """
        while not self._record.has_ended:
            async with asyncio.timeout(silence):
                await self._record.changed()
        return self._record.content()

    def close(self) -> None:
        self._reader.close()
        self._forget()

    async def _confirm_end(self) -> None:
        """Returns when it is certain that the sender, and nobody else, ended the stream."""
        record = self._record
        if not record.has_packets:
            if record.total_length is not None:
                return  # It was in its header: streams that say no length never are.
            await self._packet_within(LATE)
        while record.has_packets and not (record.has_ended or record.is_contested):
            await record.changed()
        self._check()

    async def _packet_within(self, seconds: float) -> None:
        if self._record.is_contested or self._record.has_ended:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._record.changed()
        except TimeoutError:
            return

    def _check(self) -> None:
        if self._record.is_contested:
            raise ContestedError


TextStream: TypeAlias = IncomingStream[str, rtc.TextStreamInfo]
ByteStream: TypeAlias = IncomingStream[bytes, rtc.ByteStreamInfo]
TextHandler: TypeAlias = Callable[[TextStream, str], None]
"""Takes a stream, and the identity of its sender."""

ByteHandler: TypeAlias = Callable[[ByteStream, str], None]


class RoomStreams:
    """Passes streams to the handlers of their topics, and learns who sent each packet.

    Packets from anybody but the header's sender are dropped. Their sender gets one refusal for each
    stream; so does a participant who opens a stream under an id that another has open.
    """

    def __init__(self, room: rtc.Room, notices: Notices) -> None:
        self._room = room
        self._notices = notices
        self._max_kept: dict[tuple[str, str], int] = {}
        """By kind of header and topic."""
        self._open: dict[str, StreamRecord] = {}
        """Streams whose packets are heard, by their ids; also those that nobody handles."""
        self._of: dict[str, list[StreamRecord]] = {}
        """By sender: those that are open, not handed out yet, or being read."""

    def on_text(self, topic: str, handler: TextHandler, *, max_kept: int) -> None:
        """Handles text streams on a topic; call it before connecting.

        Args:
            max_kept: bytes of each that are kept until its end, in case others write into it.
        """
        self._max_kept["text_header", topic] = max_kept

        def on_stream(reader: rtc.TextStreamReader, identity: str) -> None:
            if (stream := self._stream(reader, identity)) is not None:
                handler(stream, identity)

        self._room.register_text_stream_handler(topic, on_stream)

    def on_bytes(self, topic: str, handler: ByteHandler, *, max_kept: int) -> None:
        """As `on_text`."""
        self._max_kept["byte_header", topic] = max_kept

        def on_stream(reader: rtc.ByteStreamReader, identity: str) -> None:
            if (stream := self._stream(reader, identity)) is not None:
                handler(stream, identity)

        self._room.register_byte_stream_handler(topic, on_stream)

    def off_text(self, topic: str) -> None:
        self._room.unregister_text_stream_handler(topic)

    def off_bytes(self, topic: str) -> None:
        self._room.unregister_byte_stream_handler(topic)

    def is_open(self, stream_id: str) -> bool:
        """Whether somebody else than the agent has a stream with this id open."""
        return stream_id in self._open

    def hear(self, event: RoomEvent) -> None:
        """Takes the packets of streams (native_events.STREAM_PACKETS), in their order."""
        match event.WhichOneof("message"):
            case "stream_header_received":
                self._hear_header(event.stream_header_received)
            case "stream_chunk_received":
                self._hear_chunk(event.stream_chunk_received)
            case "stream_trailer_received":
                self._hear_trailer(event.stream_trailer_received)
            case _:
                return

    def _hear_header(self, packet: DataStreamHeaderReceived) -> None:
        header, identity = packet.header, packet.participant_identity
        max_kept = self._max_kept.get((header.WhichOneof("content_header") or "", header.topic))
        record = self._open.get(header.stream_id)
        if record is not None:
            if max_kept is not None and record.owner != identity and record.is_first_from(identity):
                self._notices.refuse(identity, _IN_USE, header.stream_id)
            return
        record = StreamRecord(
            header.stream_id,
            identity,
            header.attributes,
            total_length=header.total_length if header.HasField("total_length") else None,
            max_kept=max_kept or 0,
        )
        record.is_handled = max_kept is not None
        record.is_generated = header.text_header.generated
        is_bytes = header.WhichOneof("content_header") == "byte_header"
        record.is_unsized = is_bytes and record.total_length == 0
        self._begin(record)

    def _hear_chunk(self, packet: DataStreamChunkReceived) -> None:
        chunk = packet.chunk
        record = self._owned(chunk.stream_id, packet.participant_identity)
        if record is not None:
            record.add(chunk.chunk_index, chunk.content)

    def _hear_trailer(self, packet: DataStreamTrailerReceived) -> None:
        trailer = packet.trailer
        record = self._owned(trailer.stream_id, packet.participant_identity)
        if record is not None:
            record.end(trailer.reason)
            del self._open[trailer.stream_id]
            if not record.is_handled:
                self._forget(record)

    def _owned(self, stream_id: str, identity: str) -> StreamRecord | None:
        """The stream that a packet belongs to, if it is its sender's."""
        record = self._open.get(stream_id)
        if record is None or record.owner == identity:
            return record
        record.contest()
        if record.is_handled and record.is_first_from(identity):
            logger.warning("dropping packets that another participant sent into a stream")
            self._notices.refuse(identity, _NOT_YOURS, stream_id)
        return None

    def _stream(
        self, reader: Reader[Piece_co, Info_co], identity: str
    ) -> IncomingStream[Piece_co, Info_co] | None:
        """The SDK's reader with its recorded packets; None: the sender cannot be verified, or too
        many streams are open."""
        stream_id = reader.info.stream_id
        record = next(
            (
                each
                for each in self._of.get(identity, ())
                if each.stream_id == stream_id and each.is_handled and not each.is_read
            ),
            None,
        )
        if record is None:
            record = self._unheard(reader.info, identity)
        if record is None:
            reader.close()
            return None
        if record.is_generated:
            # An agent's transcription on behalf of a participant: livekit-server marks it
            # (pkg/rtc/participant.go, handleReceivedDataMessage).
            reader.close()
            self._forget(record)
            return None
        record.is_read = True
        return IncomingStream(reader, record, lambda: self._forget(record))

    def _unheard(
        self, info: rtc.TextStreamInfo | rtc.ByteStreamInfo, identity: str
    ) -> StreamRecord | None:
        """A stream whose header came before the room received packets."""
        if info.stream_id in self._open:
            return None
        record = StreamRecord(
            info.stream_id,
            identity,
            info.attributes or {},
            total_length=info.size or None,
            max_kept=0,
            is_whole=False,
        )
        if not self._begin(record):
            self._notices.refuse(identity, _TOO_MANY, info.stream_id)
            return None
        return record

    def _begin(self, record: StreamRecord) -> bool:
        """Whether its owner may have another one open."""
        records = self._of.setdefault(record.owner, [])
        if len(records) >= MAX_OPEN:
            oldest = next((each for each in records if not each.is_read), None)
            if oldest is None:
                return False
            self._forget(oldest)
        self._of.setdefault(record.owner, []).append(record)
        self._open[record.stream_id] = record
        return True

    def _forget(self, record: StreamRecord) -> None:
        records = self._of.get(record.owner, [])
        if record in records:
            records.remove(record)
        if not records:
            self._of.pop(record.owner, None)
        if self._open.get(record.stream_id) is record:
            del self._open[record.stream_id]
