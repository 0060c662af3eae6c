"""A stream record keeps the sender's own packets apart from those of others."""

from __future__ import annotations

import zlib

import pytest
from livekit.rtc.data_stream import StreamError

from agent.sdk.stream_record import RAW_DEFLATE, NotKeptError, StreamRecord


def record(total_length: int | None = None, max_kept: int = 100) -> StreamRecord:
    return StreamRecord("s", "alice", {}, total_length=total_length, max_kept=max_kept)


def deflated(content: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=RAW_DEFLATE)
    return compressor.compress(content) + compressor.flush()


def test_chunks_are_put_together_once_each() -> None:
    stream = record()
    for index, content in ((0, b"a"), (1, b"b"), (0, b"a"), (1, b"b"), (2, b"c")):
        stream.add(index, content)
    stream.end("")
    assert stream.content() == b"abc"


@pytest.mark.parametrize(("total", "indices"), [(None, (0, 2)), (3, (0, 1)), (2, (1, 2))])
def test_a_stream_with_a_gap_is_incomplete(total: int | None, indices: tuple[int, ...]) -> None:
    stream = record(total)
    for index in indices:
        stream.add(index, b"a")
    stream.end("")
    with pytest.raises(StreamError, match="incomplete"):
        stream.content()


def test_a_stream_that_its_sender_gave_up_says_why() -> None:
    stream = record()
    stream.end("cancelled")
    with pytest.raises(StreamError, match="cancelled"):
        stream.content()


def test_a_stream_beyond_the_bound_is_not_kept() -> None:
    stream = record()
    for index in range(11):
        stream.add(index, b"x" * 10)
    stream.end("")
    with pytest.raises(NotKeptError):
        stream.content()


def test_a_compressed_stream_is_unpacked() -> None:
    content = b"hello " * 10
    stream = record(len(content))
    stream.add(0, deflated(content))
    stream.end("")
    assert stream.content() == content


def test_a_stream_that_unpacks_to_too_much_is_incomplete() -> None:
    content = b"x" * 100_000
    stream = record(len(content))
    stream.add(0, deflated(content)[:100])
    stream.end("")
    with pytest.raises(StreamError, match="incomplete"):
        stream.content()
