"""A thread as a document: Markdown, JSON or HTML, written message by message."""

from __future__ import annotations

import html
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Final, Literal

from agent.author_label import author_label
from agent.history.history import MAX_PAGE
from agent.history.message import Message, Page
from agent.rpc.get_history import as_shape
from agent.unicode_text import one_line

Format = Literal["md", "json", "html"]

MIME_TYPES: Final[dict[Format, str]] = {
    "md": "text/markdown",
    "json": "application/json",
    "html": "text/html",
}

ReadPage = Callable[[str | None, int], Awaitable[Page]]
"""Reads a page before a cursor, of so many messages."""

_HTML_HEAD: Final = (
    '<!doctype html>\n<html><head><meta charset="utf-8">'
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
    "style-src 'unsafe-inline'\"><title>{title}</title>"
    "<style>body{{font:16px/1.5 sans-serif;max-width:45em;margin:2em auto;padding:0 1em}}"
    "pre{{font:inherit;white-space:pre-wrap;margin:0 0 1em}}small{{color:#666}}</style>"
    "</head><body><h1>{title}</h1>\n"
)


async def transcript(read: ReadPage, title: str, form: Format) -> AsyncIterator[bytes]:
    """The document in pieces. Raises HistoryError."""
    writer = {"md": _Markdown, "json": _Json, "html": _Html}[form](title)
    yield writer.head()
    first = True
    async for page in _oldest_first(read):
        parts: list[str] = []
        for message in page.messages:
            parts.append(writer.message(message, first=first))
            first = False
        yield "".join(parts).encode(errors="replace")
    yield writer.tail()


async def _oldest_first(read: ReadPage) -> AsyncIterator[Page]:
    """All pages; later messages are not in them.

    Pages are read from the newest on, so their cursors are collected first.
    """
    newest = await read(None, MAX_PAGE)
    cursors: list[str] = []
    before = newest.next_before
    while before is not None:
        cursors.append(before)
        before = (await read(before, MAX_PAGE)).next_before
    for cursor in reversed(cursors):
        yield await read(cursor, MAX_PAGE)
    yield newest


class _Markdown:
    def __init__(self, title: str) -> None:
        self._title = title

    def head(self) -> bytes:
        return f"# {_escaped(self._title)}\n".encode(errors="replace")

    def message(self, message: Message, *, first: bool) -> str:
        del first
        # Indented: messages are shown as they are, and cannot pass for another message.
        text = "".join(f"    {line}\n" for line in message.text.splitlines())
        files = "".join(
            f"- {_escaped(each.name)} ({each.size} bytes)\n" for each in message.attachments
        )
        sources = "".join(
            f"- {_escaped(title)}: {_escaped(url)}\n" for title, url in _sources(message)
        )
        parts = (
            f"\n**{_escaped(_author(message))}**, {_time(message)}\n",
            text,
            files,
            sources,
        )
        return "\n".join(part for part in parts if part)

    def tail(self) -> bytes:
        return b""


class _Json:
    def __init__(self, title: str) -> None:
        self._title = title

    def head(self) -> bytes:
        return f'{{"title": {json.dumps(self._title)}, "messages": ['.encode()

    def message(self, message: Message, *, first: bool) -> str:
        return ("\n" if first else ",\n") + json.dumps(
            as_shape(message, parts_bytes=None), ensure_ascii=False
        )

    def tail(self) -> bytes:
        return b"\n]}\n"


class _Html:
    def __init__(self, title: str) -> None:
        self._title = title

    def head(self) -> bytes:
        return _HTML_HEAD.format(title=html.escape(self._title)).encode(errors="replace")

    def message(self, message: Message, *, first: bool) -> str:
        del first
        files = "".join(
            f"<li>{html.escape(each.name)} <small>{each.size} bytes</small></li>"
            for each in message.attachments
        )
        files += "".join(
            f"<li>{html.escape(title)} <small>{html.escape(url)}</small></li>"
            for title, url in _sources(message)
        )
        return (
            f"<p><b>{html.escape(_author(message))}</b> <small>{_time(message)}</small></p>"
            f"<pre>{html.escape(message.text)}</pre>{f'<ul>{files}</ul>' if files else ''}\n"
        )

    def tail(self) -> bytes:
        return b"</body></html>\n"


def _sources(message: Message) -> Iterator[tuple[str, str]]:
    """Titles and URLs of an answer's sources."""
    parts: list[dict[str, str]] = [] if message.parts is None else json.loads(message.parts)
    return ((each["title"], each["url"]) for each in parts if each["type"] == "source")


def _author(message: Message) -> str:
    return author_label(message.sender_id, message.sender_name)


def _escaped(text: str) -> str:
    """Text on one line, with Markdown's special characters escaped."""
    return "".join(f"\\{each}" if each in "\\*_`[]<>#|" else each for each in one_line(text))


def _time(message: Message) -> str:
    try:
        return datetime.fromtimestamp(message.timestamp / 1000, UTC).isoformat(timespec="seconds")
    except (OverflowError, ValueError, OSError):
        # Its sender's clock said so.
        return f"{message.timestamp} ms"
