"""Sends streams, data packets and transcriptions by requests of the worker's own.

The SDK's way (livekit/rtc/data_stream.py, participant.py) subscribes to all completions for each of
these, and wakes the loop for each completion, even if nobody waits for it.

All code that relies on the SDK's private parts for this is here and in native_calls.py.
tests/agent/sdk/test_native_sending.py checks them.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from livekit.rtc._ffi_client import FfiHandle
from livekit.rtc._proto.ffi_pb2 import FfiRequest
from livekit.rtc._proto.room_pb2 import DataStream
from livekit.rtc.participant import PublishDataError, PublishTranscriptionError

from agent.sdk.native_calls import Call, begin

if TYPE_CHECKING:
    from livekit import rtc

MAX_CHUNK_BYTES: Final = 14_000
"""Bytes in a stream's packet: below the 15 KiB of a reliable one, with room for its addressing."""


class OutgoingText:
    """A text stream to a room, which is being opened as soon as it is made.

    One write may be under way at a time; it is not to be used after `begin_close`.
    """

    def __init__(
        self,
        room: rtc.Room,
        topic: str,
        attributes: Mapping[str, str],
        listeners: Sequence[str] = (),
        *,
        stream_id: str | None = None,
    ) -> None:
        """With listeners, its header goes to them alone. Without an id, the SDK makes one up.

        Raises:
            AssertionError: the room is no longer there.
        """
        self._opening = _Opening()
        self._handle = 0
        me = room.local_participant
        request = FfiRequest()
        opening = request.text_stream_open
        opening.local_participant_handle = me._ffi_handle.handle  # pyright: ignore[reportPrivateUsage]
        opening.options.topic = topic
        opening.options.attributes.update(attributes)
        opening.options.destination_identities.extend(listeners)
        if stream_id is not None:
            opening.options.id = stream_id
        opening.options.sender_identity = me.identity
        begin(request, self._opening)

    @property
    def is_open(self) -> bool:
        return self._handle != 0 or self._opening.succeeded

    async def opened(self) -> None:
        """Returns when it is open. Raises StreamError if it could not be opened."""
        if not self.is_open:
            await self._opening.settled()

    def begin_write(self, text: str) -> Call:
        """Sends text on the open stream; the returned awaitable completes when it has been sent.

        Raises:
            AssertionError: the native library does not know the stream (any more).
        """
        request, call = FfiRequest(), Call()
        request.text_stream_write.writer_handle = self._writer()
        request.text_stream_write.text = text
        begin(request, call)
        return call

    def begin_close(self, attributes: Mapping[str, str]) -> Call:
        """Sends the end of the open stream, with attributes of its trailer. Raises as above."""
        request, call = FfiRequest(), Call()
        request.text_stream_close.writer_handle = self._writer()
        request.text_stream_close.attributes.update(attributes)
        self._opening.give_up_handle()
        begin(request, call)
        return call

    def _writer(self) -> int:
        if not self._handle:
            self._handle = self._opening.handle
        return self._handle

    def __del__(self) -> None:
        self._opening.abandon()


class _Opening(Call):
    """The opening of a stream, which has a native half until the stream is closed or abandoned.

    It may be abandoned while a native thread delivers the handle of that half: each side publishes
    its state first, and the side that finds the handle then drops it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._handles: list[int] = []
        self._is_abandoned = False

    @property
    def handle(self) -> int:
        return self._handles[0]

    def settle(self, end: Any) -> None:  # noqa: ANN401 - as in Call
        if not end.HasField("error"):
            self._handles.append(end.writer.handle.id)
        super().settle(end)
        if self._is_abandoned:
            self.abandon()

    def abandon(self) -> None:
        """Abandons the stream: nobody will close it."""
        self._is_abandoned = True
        if self._handles:
            FfiHandle(self._handles.pop()).dispose()

    def give_up_handle(self) -> None:
        """Notes that it is closed: the native library frees its half."""
        self._handles.clear()


def begin_text(
    room: rtc.Room,
    text: str,
    *,
    topic: str,
    stream_id: str,
    attributes: Mapping[str, str],
    to: Sequence[str],
) -> Call:
    """Sends a whole text as one stream, whose header goes to these identities, or to everybody if
    there are none. The returned awaitable completes when the text has been sent, or raises
    StreamError.

    If all of them can read it there, a short text is inside the header (agent/wire/
    client_protocols.py).

    Raises:
        AssertionError: the room is no longer there.
    """
    request, call = FfiRequest(), Call()
    me = room.local_participant
    sending = request.send_text
    sending.local_participant_handle = me._ffi_handle.handle  # pyright: ignore[reportPrivateUsage]
    sending.text = text
    sending.options.id = stream_id
    sending.options.topic = topic
    sending.options.attributes.update(attributes)
    sending.options.destination_identities.extend(to)
    sending.options.compress = True
    sending.options.sender_identity = me.identity
    begin(request, call)
    return call


class _AddressedStream:
    """A stream to some identities; nobody else gets any of it: the SDK's own calls address the
    header only. It is opened by the first write.

    One call may be under way at a time. Each returns when its packets are on their way, and raises
    StreamError if they cannot be sent, AssertionError once the room is gone.
    """

    def __init__(
        self, room: rtc.Room, header: DataStream.Header, to: Sequence[str], sender: str
    ) -> None:
        self._handle: int = room.local_participant._ffi_handle.handle  # pyright: ignore[reportPrivateUsage]
        self._header = header
        self._to = tuple(to)
        self._sender = sender
        self._chunks = 0
        self._is_open = False

    async def write_packets(self, parts: Iterable[bytes]) -> None:
        """Sends more of the content, in pieces that each fit into a packet."""
        await self._open()
        for part in parts:
            request = FfiRequest()
            chunk = request.send_stream_chunk.chunk
            chunk.stream_id = self._header.stream_id
            chunk.chunk_index = self._chunks
            chunk.content = part
            self._chunks += 1
            await self._send(request, "send_stream_chunk")

    async def close(self, attributes: Mapping[str, str] | None = None) -> None:
        """Sends the end, with attributes of the trailer."""
        await self._open()
        request = FfiRequest()
        trailer = request.send_stream_trailer.trailer
        trailer.stream_id = self._header.stream_id
        trailer.reason = ""
        trailer.attributes.update(attributes or {})
        await self._send(request, "send_stream_trailer")

    async def _open(self) -> None:
        if self._is_open:
            return
        self._is_open = True
        request = FfiRequest()
        self._header.timestamp = int(time.time() * 1000)
        request.send_stream_header.header.CopyFrom(self._header)
        await self._send(request, "send_stream_header")

    async def _send(self, request: FfiRequest, kind: str) -> None:
        packet = getattr(request, kind)
        packet.local_participant_handle = self._handle
        packet.destination_identities.extend(self._to)
        packet.sender_identity = self._sender
        call = Call()
        begin(request, call)
        await call.settled()


class AddressedText(_AddressedStream):
    """A text stream that is addressed as a whole."""

    def __init__(
        self,
        room: rtc.Room,
        topic: str,
        attributes: Mapping[str, str],
        to: Sequence[str],
        *,
        stream_id: str,
        update_of: str | None = None,
    ) -> None:
        """
        Args:
            update_of: a participant in whose name it goes out, as a new text for the stream of
                theirs that had this id; only agents may do this.
        """
        kinds = DataStream.OperationType
        text_header = DataStream.TextHeader(
            operation_type=kinds.CREATE if update_of is None else kinds.UPDATE
        )
        header = DataStream.Header(
            stream_id=stream_id,
            mime_type="text/plain",
            topic=topic,
            attributes=attributes,
            text_header=text_header,
        )
        super().__init__(room, header, to, update_of or room.local_participant.identity)

    async def write(self, text: str) -> None:
        """Sends more of the text."""
        await self.write_packets(_packets_of(text))


async def send_addressed_bytes(
    room: rtc.Room, data: bytes, *, topic: str, stream_id: str, to: Sequence[str]
) -> None:
    """Sends a whole byte stream to these identities alone. Raises as its parts do."""
    header = DataStream.Header(
        stream_id=stream_id,
        mime_type="application/octet-stream",
        topic=topic,
        total_length=len(data),
        byte_header=DataStream.ByteHeader(name=stream_id),
    )
    stream = _AddressedStream(room, header, to, room.local_participant.identity)
    starts = range(0, len(data), MAX_CHUNK_BYTES)
    await stream.write_packets(data[start : start + MAX_CHUNK_BYTES] for start in starts)
    await stream.close()


def _packets_of(text: str) -> Iterator[bytes]:
    """A text in pieces that each fit into a packet. Readers decode each by itself, so that no
    character is cut."""
    data = text.encode()
    start = 0
    while start < len(data):
        end = start + MAX_CHUNK_BYTES
        while end < len(data) and data[end] & 0xC0 == 0x80:
            end -= 1
        yield data[start:end]
        start = end


def begin_packet(
    room: rtc.Room, data: bytes, *, topic: str, to: Sequence[str], reliable: bool
) -> Call:
    """Sends a data packet to these identities, or to everybody if there are none; the returned
    awaitable completes when it is on its way, or raises PublishDataError.

    Raises:
        AssertionError: the room is no longer there.
    """
    request, call = FfiRequest(), Call(PublishDataError)
    packet = request.publish_data
    packet.local_participant_handle = room.local_participant._ffi_handle.handle  # pyright: ignore[reportPrivateUsage]
    # Copied before the request returns (rust-sdks, livekit-ffi/src/server/room.rs, publish_data).
    packet.data_ptr = ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0
    packet.data_len = len(data)
    packet.reliable = reliable
    packet.topic = topic
    packet.destination_identities.extend(to)
    begin(request, call)
    return call


def begin_transcription(
    room: rtc.Room, identity: str, track_sid: str, segments: Sequence[rtc.TranscriptionSegment]
) -> Call:
    """Sends everybody a transcription packet about a track; the returned awaitable completes when
    it is on its way, or raises PublishTranscriptionError.

    Raises:
        AssertionError: the room is no longer there.
    """
    request, call = FfiRequest(), Call(PublishTranscriptionError)
    packet = request.publish_transcription
    packet.local_participant_handle = room.local_participant._ffi_handle.handle  # pyright: ignore[reportPrivateUsage]
    packet.participant_identity = identity
    packet.track_id = track_sid
    for each in segments:
        packet.segments.add(
            id=each.id,
            text=each.text,
            start_time=each.start_time,
            end_time=each.end_time,
            final=each.final,
            language=each.language,
        )
    begin(request, call)
    return call
