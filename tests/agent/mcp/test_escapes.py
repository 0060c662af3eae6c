import json

import pytest

from agent.mcp.escapes import EscapeMender

TEXTS = [
    (r'"plain"', "plain"),
    (r'"\ud83d"', "\ufffd"),
    (r'"\ude00"', "\ufffd"),
    (r'"\uD83D\uDE00"', "\U0001f600"),
    (r'"\ud83d\ud83d\ude00"', "\ufffd\U0001f600"),
    (r'"\ud83d\n"', "\ufffd\n"),
    (r'"\ud83d\u0041"', "\ufffdA"),
    (r'"\\ud83d"', r"\ud83d"),
    (r'"\\\ud83d"', "\\\ufffd"),
    (r'"\\\\ud83d \u00e9"', r"\\ud83d é"),
]


@pytest.mark.parametrize(("escaped", "text"), TEXTS)
def test_half_pairs_are_replaced(escaped: str, text: str) -> None:
    mender = EscapeMender()
    assert json.loads(mender.feed(escaped.encode()) + mender.end()) == text


@pytest.mark.parametrize(("escaped", "text"), TEXTS)
def test_wherever_chunks_are_cut(escaped: str, text: str) -> None:
    for first in range(len(escaped)):
        for second in range(first, len(escaped)):
            mender = EscapeMender()
            chunks = escaped[:first], escaped[first:second], escaped[second:]
            mended = b"".join(mender.feed(chunk.encode()) for chunk in chunks) + mender.end()
            assert json.loads(mended) == text
            assert len(mended) <= len(escaped)


def test_buffered_text_is_given_at_the_end() -> None:
    mender = EscapeMender()
    assert mender.feed(rb"a\ud83d\u") == b"a"
    assert mender.end() == rb"\ud83d\u"
    assert mender.end() == b""
