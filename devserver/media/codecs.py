"""The codecs that the server forwards: which of an offer it takes, and in which order.

Nothing is decoded, so that a codec needs only its name here (pkg/rtc/mediaengine.go).
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from aiortc.codecs import is_rtx

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiortc.rtcrtpparameters import RTCRtpCodecParameters

RED = "audio/red"
OPUS = "audio/opus"
RETRANSMISSIONS = "video/rtx"
FORWARDED = (
    "audio/PCMU",
    "audio/PCMA",
    OPUS,
    RED,
    "video/VP8",
    "video/H264",
    "video/VP9",
    "video/AV1",
    "video/H265",
    RETRANSMISSIONS,
)
"""The codecs of a room whose configuration names none (pkg/config/config.go)."""
LAYERED = ("video/vp9", "video/av1")
"""Codecs that carry several sizes in one stream, in lower case."""

_SPELLINGS = {mime.lower(): mime for mime in FORWARDED}
_FEEDBACK = {("nack", None), ("nack", "pli"), ("ccm", "fir"), ("goog-remb", None)}
_VARIANTS = ("profile-level-id", "packetization-mode", "profile-id", "profile")


def taken(offered: Sequence[RTCRtpCodecParameters]) -> list[RTCRtpCodecParameters]:
    """Return those of the ``offered`` codecs that are forwarded, with the client's numbers.

    They are spelt as in ``FORWARDED``: names of codecs have no case (RFC 8866, 6.6).
    """
    known = [codec for codec in offered if codec.mimeType.lower() in _SPELLINGS]
    numbers = {codec.payloadType for codec in known if not is_rtx(codec)}
    codecs: list[RTCRtpCodecParameters] = []
    for codec in known:
        if is_rtx(codec) and codec.parameters.get("apt") not in numbers:
            continue
        mine = copy.copy(codec)
        mine.mimeType = _SPELLINGS[codec.mimeType.lower()]
        mine.rtcpFeedback = [
            each for each in codec.rtcpFeedback if (each.type, each.parameter) in _FEEDBACK
        ]
        codecs.append(mine)
    return codecs


def preferring(
    codecs: Sequence[RTCRtpCodecParameters], mime_type: str, *, only: bool
) -> list[RTCRtpCodecParameters]:
    """Return ``codecs`` with those of ``mime_type`` first: a client sends the first one.

    With ``only``, the others are left out, for clients that ignore the order. Without a codec of
    this type the order stays (pkg/rtc/transport.go, configureReceiverCodecs).
    """
    preferred = [codec for codec in codecs if codec.mimeType.lower() == mime_type.lower()]
    if not preferred:
        return list(codecs)
    rest = [codec for codec in codecs if codec not in preferred]
    if only:
        numbers = {codec.payloadType for codec in preferred}
        rest = [codec for codec in rest if codec.parameters.get("apt") in numbers]
    return preferred + rest


def forwarded_as(
    codec: RTCRtpCodecParameters, candidates: Sequence[RTCRtpCodecParameters]
) -> RTCRtpCodecParameters | None:
    """Return the subscriber's codec for a publisher's ``codec``; None if it has none.

    Another profile will do. Redundant Opus goes as plain Opus to one who does not know it, or names
    the blocks in it by other numbers.
    """
    same = [each for each in candidates if each.mimeType.lower() == codec.mimeType.lower()]
    if is_red(codec):
        red = next((each for each in same if each.parameters == codec.parameters), None)
        return red or next((each for each in candidates if is_opus(each)), None)
    exact = [
        each
        for each in same
        if all(each.parameters.get(key) == codec.parameters.get(key) for key in _VARIANTS)
    ]
    return next(iter(exact or same), None)


def is_red(codec: RTCRtpCodecParameters) -> bool:
    """Whether this is Opus with redundancy."""
    return codec.mimeType.lower() == RED


def is_opus(codec: RTCRtpCodecParameters) -> bool:
    """Whether this is Opus without redundancy."""
    return codec.mimeType.lower() == OPUS


def without_redundancy(payload: bytes) -> bytes | None:
    """Return the newest block of a RED payload (RFC 2198); None if it is malformed."""
    position = older = 0
    while position < len(payload) and payload[position] & 0x80:
        if len(payload) < position + 4:
            return None
        older += int.from_bytes(payload[position + 2 : position + 4], "big") & 0x3FF
        position += 4
    start = position + 1 + older
    return payload[start:] if start <= len(payload) else None
