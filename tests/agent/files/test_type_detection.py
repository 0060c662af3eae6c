"""Types are found off the rooms' loop, in bounded time, whatever somebody sends."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from agent.files import type_detection
from agent.files.content_type import HEAD_BYTES, content_type
from agent.files.type_detection import TypeDetection


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Detection that does not end before this is set."""
    released = threading.Event()

    def wait(head: bytes, name: str) -> str:
        released.wait()
        return content_type(head, name)

    monkeypatch.setattr(type_detection, "content_type", wait)
    yield released
    released.set()


async def test_a_type_is_found() -> None:
    types = TypeDetection()
    assert await types.detect(b"# Title", "notes.md") == "text/markdown"
    types.close()


async def test_a_file_whose_type_is_not_found_in_time_is_bytes(stuck: threading.Event) -> None:
    types = TypeDetection(deadline=0.05)
    assert await types.detect(b"# Title", "notes.md") == "application/octet-stream"
    # The thread is still busy with the first one.
    assert await types.detect(b"hello", "a.txt") == "application/octet-stream"
    stuck.set()
    types.close()


@pytest.mark.parametrize(
    "repeated", ["<!---->", "<!-- ", "<?xml ", "<?xml?>", " ", "\n<!---->\n", "<", "[", "{ "]
)
@pytest.mark.parametrize("end", ["x", "<svg>", ""])
def test_a_long_beginning_is_read_in_one_pass(repeated: str, end: str) -> None:
    head = (repeated * HEAD_BYTES + end)[-HEAD_BYTES:].encode()
    assert content_type(head, "note.txt").partition("/")[0] in {"text", "image", "application"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<!----> <!-- a --><svg>", "image/svg+xml"),
        ("<?xml version='1.0'?>\n<!-- a -->\n<svg/>", "image/svg+xml"),
        ("<!-- a --", "text/plain"),
        ("<svgx>", "text/plain"),
        ("<?xml", "application/xml"),
        ("<?xmlx", "text/plain"),
        ("<?xml version='1.0'?><rss/>", "application/xml"),
        (" \n<!DocType HTML>", "text/html"),
        ("<!-- a --><html>", "text/plain"),
        ("{}", "application/json"),
        ("[[1]]", "application/json"),
        ("[", "text/plain"),
        ("{ x", "text/plain"),
    ],
)
def test_markup_is_recognised_by_its_beginning(text: str, expected: str) -> None:
    assert content_type(text.encode(), "note.txt") == expected
