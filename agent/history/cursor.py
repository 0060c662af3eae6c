"""Cursors: the beginning of a page, as text that is opaque to clients."""

from __future__ import annotations

import base64
import binascii
from hashlib import blake2b
from typing import Final

from agent.history.errors import InvalidValueError
from agent.history.message import ThreadKey

_POSITION_BYTES: Final = 8
_CHECK_BYTES: Final = 7
_LENGTH: Final = 20
_SEPARATOR: Final = b"\xff"  # in no UTF-8 text


def encode_cursor(thread: ThreadKey, position: int) -> str:
    """A cursor for a position in a thread; it is good for that thread alone."""
    data = position.to_bytes(_POSITION_BYTES)
    return base64.urlsafe_b64encode(data + _check(thread, data)).decode()


def decode_cursor(thread: ThreadKey, cursor: str) -> int:
    """The position in a cursor.

    The check detects made-up cursors. It is no protection, and need not be: a forged cursor leads
    to a page that its reader may read anyway.

    Raises:
        InvalidValueError: the cursor is not one of this thread.
    """
    try:
        data = base64.b64decode(cursor, b"-_", validate=True) if len(cursor) == _LENGTH else b""
    except (binascii.Error, ValueError):
        data = b""
    position, check = data[:_POSITION_BYTES], data[_POSITION_BYTES:]
    if not data or check != _check(thread, position):
        raise InvalidValueError("The cursor is not one of this thread.")
    return int.from_bytes(position)


def _check(thread: ThreadKey, position: bytes) -> bytes:
    parts = (thread.room.encode(), thread.id.encode(), position)
    return blake2b(_SEPARATOR.join(parts), digest_size=_CHECK_BYTES).digest()
