"""Metadata that SDKs append to video frames (packet trailers)."""

from __future__ import annotations

_MAGIC = b"LKTS"
_ENVELOPE = 1 + len(_MAGIC)


def without_trailer(payload: bytes) -> bytes:
    """Return the last payload of a frame without its trailer, if it has one.

    A trailer ends with its size, xored with 255, and four letters (livekit-server:
    pkg/sfu/packettrailer). Decoders of clients that know none might stumble over it.
    """
    if len(payload) < _ENVELOPE or not payload.endswith(_MAGIC):
        return payload
    size = payload[-_ENVELOPE] ^ 0xFF
    return payload[:-size] if _ENVELOPE <= size <= len(payload) else payload
