"""The payloads of video: where a key frame begins, and the numbers of VP8's pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_VP8_EXTENDED, _VP8_START, _VP8_PARTITION = 0x80, 0x10, 0x07
_VP8_PICTURE, _VP8_TL0, _VP8_LAYER_OR_KEY = 0x80, 0x40, 0x30
_H264_TYPE, _H264_IDR, _H264_SPS, _H264_STAP_A, _H264_FU_A = 0x1F, 5, 7, 24, 28
_H264_KEY = (_H264_IDR, _H264_SPS)
_VP9_PREDICTED, _VP9_START = 0x40, 0x08
_AV1_NEW_SEQUENCE = 0x08


def begins_keyframe(payload: bytes, mime_type: str) -> bool:
    """Whether a key frame begins in this payload; False of a malformed one."""
    if not payload:
        return False
    match mime_type.lower():
        case "video/vp8":
            start = payload[0] & (_VP8_START | _VP8_PARTITION) == _VP8_START
            data = payload[_vp8_header_size(payload) :]
            return start and bool(data) and not data[0] & 1
        case "video/h264":
            return _begins_h264_keyframe(payload)
        case "video/vp9":
            return payload[0] & (_VP9_PREDICTED | _VP9_START) == _VP9_START
        case "video/av1":
            return bool(payload[0] & _AV1_NEW_SEQUENCE)
        case _:
            return True


@dataclass(slots=True)
class PictureNumbers:
    """The numbers of one VP8 packet (RFC 7741, 4.2); None where it has none."""

    picture: int | None = None
    base_layer: int | None = None


def picture_numbers(payload: bytes) -> PictureNumbers:
    """Return the numbers that a VP8 payload states."""
    numbers = PictureNumbers()
    if len(payload) < _vp8_header_size(payload) or not payload[0] & _VP8_EXTENDED:
        return numbers
    position = 2
    if payload[1] & _VP8_PICTURE:
        numbers.picture = payload[position] & 0x7F
        if payload[position] & 0x80:
            position += 1
            numbers.picture = numbers.picture << 8 | payload[position]
        position += 1
    if payload[1] & _VP8_TL0:
        numbers.base_layer = payload[position]
    return numbers


def renumbered(payload: bytes, numbers: PictureNumbers) -> bytes:
    """Return a VP8 payload with these numbers in place of those that it states."""
    changed = bytearray(payload)
    position = 2
    if numbers.picture is not None:
        if payload[position] & 0x80:
            changed[position] = 0x80 | (numbers.picture >> 8 & 0x7F)
            position += 1
            changed[position] = numbers.picture & 0xFF
        else:
            changed[position] = numbers.picture & 0x7F
        position += 1
    if numbers.base_layer is not None:
        changed[position] = numbers.base_layer & 0xFF
    return bytes(changed)


def _vp8_header_size(payload: bytes) -> int:
    if not payload or not payload[0] & _VP8_EXTENDED:
        return 1
    if len(payload) < 3:
        return len(payload) + 1
    size = 2
    if payload[1] & _VP8_PICTURE:
        size += 2 if payload[2] & 0x80 else 1
    size += bool(payload[1] & _VP8_TL0) + bool(payload[1] & _VP8_LAYER_OR_KEY)
    return size


def _begins_h264_keyframe(payload: bytes) -> bool:
    kind = payload[0] & _H264_TYPE
    if kind == _H264_STAP_A:
        return any(each in _H264_KEY for each in _h264_aggregated(payload))
    if kind == _H264_FU_A:
        started = len(payload) > 1 and payload[1] & 0x80
        return bool(started) and payload[1] & _H264_TYPE in _H264_KEY
    return kind in _H264_KEY


def _h264_aggregated(payload: bytes) -> Iterator[int]:
    """Return the types of the units in an aggregate: encoders may put a delimiter first."""
    position = 1
    while position + 2 < len(payload):
        yield payload[position + 2] & _H264_TYPE
        position += 2 + int.from_bytes(payload[position : position + 2], "big")
