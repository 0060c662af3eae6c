"""Server-sent events: however their bytes are cut, the same events come out."""

import pytest

from agent.models.event_stream import EventStreamDecoder, EventTooLargeError

STREAM = (
    ": keep-alive\n\n"
    'data: {"text": "é🦉"}\n\n'
    "event: message\nid: 7\nretry: 10\ndata:no space\n\n"
    "data: two\ndata: lines\n\n"
    "data:\n\n"
    "unknown: field\ndata\n\n"
    "\n\n\n"
    "data:  two spaces\n\n"
    "data: [DONE]\n\n"
).encode()
EVENTS = [
    '{"text": "é🦉"}'.encode(),
    b"no space",
    b"two\nlines",
    b"",
    b" two spaces",
    b"[DONE]",
]


def decode(*pieces: bytes) -> list[bytes]:
    decoder = EventStreamDecoder()
    fed = [event for piece in pieces for event in decoder.feed(piece)]
    return fed + decoder.finish()


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_cut_at_every_position(line_end: bytes) -> None:
    stream = STREAM.replace(b"\n", line_end)

    for position in range(len(stream) + 1):
        assert decode(stream[:position], stream[position:]) == EVENTS


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_cut_into_pieces_of_a_size(line_end: bytes, size: int) -> None:
    stream = STREAM.replace(b"\n", line_end)

    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]

    assert decode(*pieces) == EVENTS


def test_an_event_is_given_as_soon_as_its_blank_line_is_there() -> None:
    for line_end in (b"\n", b"\r\n", b"\r"):
        decoder = EventStreamDecoder()
        assert decoder.feed(b"data: 1" + line_end + line_end) == [b"1"]
        assert decoder.feed(b"data: 2" + line_end + line_end) == [b"2"]


def test_line_ends_may_be_mixed() -> None:
    assert decode(b"data: a\r\ndata: b\r\r\ndata: c\n\r\n") == [b"a\nb", b"c"]


@pytest.mark.parametrize("end", [b"", b"\n", b"\r"])
def test_the_last_event_may_lack_its_end(end: bytes) -> None:
    assert decode(b"data: 1\n\ndata: [DONE]" + end) == [b"1", b"[DONE]"]


@pytest.mark.parametrize(
    "pieces",
    [
        [b"x" * 101],
        [b"data: " + b"x" * 60, b"x" * 60],
        [b"data: " + b"x" * 60 + b"\n"] * 2,
        [b"data: " + b"x" * 101 + b"\n\n"],
    ],
)
def test_an_event_that_is_too_large_is_refused(pieces: list[bytes]) -> None:
    decoder = EventStreamDecoder(max_event_bytes=100)

    with pytest.raises(EventTooLargeError, match="100 bytes"):
        _ = [decoder.feed(piece) for piece in pieces]


def test_the_limit_is_for_one_event_and_not_for_the_stream() -> None:
    decoder = EventStreamDecoder(max_event_bytes=100)

    for _ in range(100):
        assert decoder.feed(b"data: " + b"x" * 80) == []
        assert decoder.feed(b"\n\n: comment\n") == [b"x" * 80]
