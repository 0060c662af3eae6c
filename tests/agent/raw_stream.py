"""Text streams as clients send them that are not the native SDK: header, chunks and trailer."""

from __future__ import annotations

import uuid

from livekit import rtc
from livekit.rtc._ffi_client import FfiClient
from livekit.rtc._proto.ffi_pb2 import FfiEvent, FfiRequest
from livekit.rtc._proto.room_pb2 import DataStream


async def send_raw_text(
    room: rtc.Room, chunks: list[bytes], *, total_size: int | None = None, topic: str = "lk.chat"
) -> str:
    """Sends a text stream that declares this size, whatever its size is; returns its id.

    The native SDK does not send sizes of text, and livekit-client sends the size that it is given.
    """
    stream_id = str(uuid.uuid4())
    request = FfiRequest()
    header = request.send_stream_header.header
    header.stream_id = stream_id
    header.timestamp = 1_700_000_000_000
    header.mime_type = "text/plain"
    header.topic = topic
    header.text_header.operation_type = DataStream.OperationType.CREATE
    if total_size is not None:
        header.total_length = total_size
    assert not await send_packet(room, request)
    await _send_content(room, stream_id, chunks)
    return stream_id


async def send_unsized_bytes(room: rtc.Room, chunks: list[bytes], *, topic: str) -> str:
    """Sends a byte stream as livekit-client 2.15 does without a size: it declares the size 0."""
    stream_id = str(uuid.uuid4())
    request = FfiRequest()
    header = request.send_stream_header.header
    header.stream_id = stream_id
    header.timestamp = 1_700_000_000_000
    header.mime_type = "application/octet-stream"
    header.topic = topic
    header.total_length = 0
    header.byte_header.name = "note.txt"
    assert not await send_packet(room, request)
    await _send_content(room, stream_id, chunks)
    return stream_id


async def _send_content(room: rtc.Room, stream_id: str, chunks: list[bytes]) -> None:
    for index, content in enumerate(chunks):
        request = FfiRequest()
        chunk = request.send_stream_chunk.chunk
        chunk.stream_id, chunk.chunk_index, chunk.content = stream_id, index, content
        assert not await send_packet(room, request)
    request = FfiRequest()
    trailer = request.send_stream_trailer.trailer
    trailer.stream_id, trailer.reason = stream_id, ""
    assert not await send_packet(room, request)


async def send_packet(room: rtc.Room, request: FfiRequest) -> str:
    """Sends one packet of a stream; returns the SDK's error, or an empty text."""
    kind = request.WhichOneof("message") or ""
    me = room.local_participant
    sending = getattr(request, kind)
    sending.local_participant_handle = me._ffi_handle.handle  # pyright: ignore[reportPrivateUsage]
    sending.sender_identity = me.identity
    queue = FfiClient.instance.queue.subscribe()
    try:
        begun = getattr(FfiClient.instance.request(request), kind).async_id

        def is_end(event: FfiEvent) -> bool:
            return event.WhichOneof("message") == kind and getattr(event, kind).async_id == begun

        end = await queue.wait_for(is_end)
        return getattr(end, kind).error
    finally:
        FfiClient.instance.queue.unsubscribe(queue)
