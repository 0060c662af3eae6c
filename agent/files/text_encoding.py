"""Text files in the encodings that offices have. Slow on hostile input: not for the rooms' loop."""

from __future__ import annotations

import codecs
from typing import Final

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""Those of UTF-32 first: that of UTF-16 little-endian is the beginning of one of them."""

_MOSTLY: Final = 0.6
"""The share of NULs beside which every second byte of UTF-16 stands."""

_WESTERN: Final = 0.3
"""The share of bytes above ASCII up to which a text is taken for cp1252: accents among letters."""

_OTHERS: Final = [
    *("cp932", "euc_jp", "gb18030", "big5", "cp949"),
    *("cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "koi8_r", "cp874"),
]
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
    """A text file's text, or its beginning's: what cannot be read in it shows as `�`."""
    encoding = encoding_of(content)
    text = codecs.getincrementaldecoder(encoding)("replace").decode(content)
    return text.removeprefix("\ufeff")


def encoding_of(content: bytes) -> str:
    """The encoding of a text file that begins so, by Python's name."""
    marked = _marked(content) or _unmarked_utf16(content)
    if marked is not None:
        return marked
    try:
        codecs.getincrementaldecoder("utf-8")().decode(content)
    except UnicodeDecodeError:
        return _legacy(content[:_SAMPLE_BYTES])
    return "utf-8"


def _marked(content: bytes) -> str | None:
    return next((name for mark, name in _MARKS if content.startswith(mark)), None)


def _unmarked_utf16(content: bytes) -> str | None:
    """UTF-16 without a mark and with mostly Latin characters: every second byte is NUL."""
    half = len(content) // 2
    even, odd = content[0 : 2 * half : 2].count(0), content[1 : 2 * half : 2].count(0)
    if half and odd >= _MOSTLY * half and even == 0:
        return "utf-16-le"
    if half and even >= _MOSTLY * half and odd == 0:
        return "utf-16-be"
    return None


def _legacy(content: bytes) -> str:
    high = sum(byte >= 0x80 for byte in content)
    if high <= _WESTERN * len(content):
        return "cp1252"
    from charset_normalizer import from_bytes  # noqa: PLC0415 - 0.1 s, and rarely needed

    # The last character may be cut.
    found = from_bytes(content[:-1] if len(content) > 1 else content, cp_isolation=_OTHERS).best()
    return found.encoding if found is not None else "cp1252"
