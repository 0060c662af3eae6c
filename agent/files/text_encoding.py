"""Text files in the encodings that office programs use. Slow on hostile input: not for the rooms'
loop."""

from __future__ import annotations

import codecs
import unicodedata
from typing import Final

from agent.files.legacy_encoding import legacy_encoding

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""UTF-32 first: the mark of UTF-16 little-endian is the beginning of one of its marks."""

_UNEXPLAINED: Final = 0.1
"""The share of NULs in UTF-16 that may be something else than the halves of Latin characters."""

_WESTERN: Final = 0.3
"""The share of bytes above ASCII up to which a text that fits no language is taken for cp1252."""

_JAPANESE_ESCAPE: Final = b"\x1b$"
"""Begins a text in ISO-2022-JP, which has nothing but ASCII bytes."""

_NO_TEXT: Final = frozenset({"Cc", "Cs", "Co", "Cn"})
_SPACES: Final = frozenset("\t\n\v\f\r\x1a\x1b")
_HEAD_BYTES: Final = 4 * 1024
_CONTROLS: Final = bytes({*range(0x20), 0x7F} - {*b"\t\n\v\f\r\x1a\x1b"})
_SAMPLE_BYTES: Final = 64 * 1024


def looks_like_text(head: bytes) -> bool:
    """Whether a file that begins so may be text in one of these encodings. Takes linear time."""
    encoding = _marked(head) or _unmarked_utf16(head)
    if encoding is None:
        return not head.translate(None, delete=bytes(set(range(256)) - set(_CONTROLS)))
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head)
    return not text.encode("utf-8", "replace").translate(
        None, delete=bytes(set(range(256)) - set(_CONTROLS))
    )


def decoded(content: bytes) -> str:
    """The text of a file, or of its beginning; undecodable bytes become `�`."""
    encoding = encoding_of(content)
    text = codecs.getincrementaldecoder(encoding)("replace").decode(content)
    return text.removeprefix("\ufeff")


def encoding_of(content: bytes) -> str:
    """The encoding of a text file that begins so, by Python's name."""
    marked = _marked(content) or _unmarked_utf16(content)
    if marked is not None:
        return marked
    if _JAPANESE_ESCAPE in content and _reads(content, "iso2022_jp"):
        return "iso2022_jp"
    if _reads(content, "utf-8"):
        return "utf-8"
    return _legacy(content)


def _reads(content: bytes, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        text = decoder.decode(content)
    except UnicodeDecodeError:
        return False
    # A character that is cut off at the end is one of many; a lone one is of another encoding.
    is_cut = bool(decoder.getstate()[0])
    return not (is_cut and text.isascii())


def _marked(content: bytes) -> str | None:
    return next((name for mark, name in _MARKS if content.startswith(mark)), None)


def _unmarked_utf16(content: bytes) -> str | None:
    """UTF-16 without a mark: its NULs are halves of Latin characters, line ends if nothing else."""
    head = content[:_HEAD_BYTES]
    if 0 not in head:
        return None
    even, odd = head[0::2].count(0), head[1::2].count(0)
    names = ["utf-16-le", "utf-16-be"]
    return next(
        (name for name in (names if odd >= even else names[::-1]) if _is_text(head, name)), None
    )


def _is_text(head: bytes, encoding: str) -> bool:
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return False
    plain = sum(character < "\u0100" for character in text)
    if not plain or head.count(0) - plain > _UNEXPLAINED * len(text):
        return False
    return all(each in _SPACES or unicodedata.category(each) not in _NO_TEXT for each in text)


def _legacy(content: bytes) -> str:
    found = legacy_encoding(content)
    if found is not None:
        return found
    sample = content[:_SAMPLE_BYTES]
    if sum(byte >= 0x80 for byte in sample) <= _WESTERN * len(sample):
        return "cp1252"
    from charset_normalizer import from_bytes  # noqa: PLC0415 - 0.1 s, and rarely needed

    # The last character may be cut.
    guessed = from_bytes(sample[:-1] if len(sample) > 1 else sample).best()
    return guessed.encoding if guessed is not None else "cp1252"
