"""Frames of data tracks: the header that a server reads and rewrites (pkg/rtc/datatrack/packet.go).

The header has 12 bytes: version and flags, reserved, handle (2), sequence number (2), frame number
(2), timestamp (4). If the flag for extensions is set, their size follows, in 4 bytes less one, in 2
bytes; then the extensions, each with its id and the size of its payload in a byte.
"""

from __future__ import annotations

_HEADER_BYTES = 12
_HAS_EXTENSIONS = 0b100
_HANDLE = slice(2, 4)
_SIZE_BYTES = 2


def handle_of(frame: bytes) -> int | None:
    """Return the handle of the track that ``frame`` belongs to; None if it is no frame."""
    if len(frame) < _HEADER_BYTES:
        return None
    if frame[0] & _HAS_EXTENSIONS and not _has_whole_extensions(frame):
        return None
    return int.from_bytes(frame[_HANDLE])


def with_handle(frame: bytes, handle: int) -> bytes:
    """Return ``frame`` with another handle."""
    return frame[: _HANDLE.start] + handle.to_bytes(2) + frame[_HANDLE.stop :]


def _has_whole_extensions(frame: bytes) -> bool:
    at = _HEADER_BYTES
    size = int.from_bytes(frame[at : at + _SIZE_BYTES])
    at += _SIZE_BYTES
    end = at + (size + 1) * 4 - _SIZE_BYTES
    if end > len(frame):
        return False
    while at < end and frame[at]:  # an id of 0 begins the padding
        if at + 1 >= end:
            return False
        at += 2 + frame[at + 1]
    return at <= end
