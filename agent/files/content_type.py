"""Determines the type of a file by its bytes. Its name only tells one kind of text from another."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Final

import puremagic

from agent.files.markup import JSON, SVG, XML, markup_type
from agent.files.text_encoding import looks_like_text

HEAD_BYTES: Final = 4_096
"""Bytes of the beginning that are inspected."""

UNKNOWN: Final = "application/octet-stream"
PLAIN_TEXT: Final = "text/plain"
PDF: Final = "application/pdf"

_BY_SUFFIX: Final = {"md": "text/markdown", "markdown": "text/markdown", "csv": "text/csv"}
MAX_PDF_PREFIX: Final = 1_024
_WORD: Final = b" \"'`([" + bytes(range(0x30, 0x7B))
"""Characters before a mark that a text only mentions."""

_OFFICE: Final = "application/vnd.openxmlformats-officedocument"
_IN_ZIP: Final = (
    (b"word/", f"{_OFFICE}.wordprocessingml.document"),
    (b"xl/", f"{_OFFICE}.spreadsheetml.sheet"),
    (b"ppt/", f"{_OFFICE}.presentationml.presentation"),
)
_NO_TEXT: Final = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_MIME_TYPE: Final = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)


def content_type(head: bytes, name: str) -> str:
    """The MIME type of a file that begins with these bytes (HEAD_BYTES, or all of it)."""
    if _is_pdf(head):
        return PDF
    text = _as_text(head)
    if text is not None:
        return _kind_of_text(text, name)
    if looks_like_text(head):
        return _kind_of_text("", name)
    if head.startswith(b"PK\x03\x04"):
        return next((kind for mark, kind in _IN_ZIP if mark in head), "application/zip")
    return _kind_of_bytes(head)


def is_utf8(content: bytes) -> bool:
    """Whether this is text in UTF-8, or its beginning, which may end within a character."""
    return _as_text(content) is not None


def is_text(mime_type: str) -> bool:
    """Whether a file of a type is text that can be read as it is."""
    return mime_type.startswith("text/") or mime_type in {JSON, XML, SVG}


def is_image(mime_type: str) -> bool:
    """Whether a model that sees can be shown it."""
    return mime_type in {"image/png", "image/jpeg", "image/gif", "image/webp"}


def is_accepted(mime_type: str, patterns: Sequence[str]) -> bool:
    """Whether one of the patterns (`image/*`, `application/pdf`) fits."""
    return any(fnmatchcase(mime_type, pattern.lower()) for pattern in patterns)


def _is_pdf(head: bytes) -> bool:
    """Whether it is one as readers take it: up to 1,024 bytes may come before the mark.

    A text that only mentions the mark has no object after it.
    """
    start = head.find(b"%PDF-", 0, MAX_PDF_PREFIX + len(b"%PDF-"))
    if start <= 0:
        return start == 0
    return head[start - 1] not in _WORD and b" obj" in head[start:]


def _as_text(head: bytes) -> str | None:
    try:
        # Not final: the head may end within a character.
        text = codecs.getincrementaldecoder("utf-8")().decode(head, final=False)
    except UnicodeDecodeError:
        return None
    return None if _NO_TEXT.search(text) else text


def _kind_of_text(text: str, name: str) -> str:
    suffix = name.rpartition(".")[2].lower()
    if suffix in _BY_SUFFIX:
        return _BY_SUFFIX[suffix]
    text = text.removeprefix("\ufeff")
    return markup_type(text) or PLAIN_TEXT


def _kind_of_bytes(head: bytes) -> str:
    try:
        found = puremagic.magic_string(head)
    except (puremagic.PureError, ValueError):
        return UNKNOWN
    kinds = (str(match.mime_type) for match in found)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - a named tuple without types
    return next((kind.lower() for kind in kinds if _MIME_TYPE.fullmatch(kind)), UNKNOWN)
