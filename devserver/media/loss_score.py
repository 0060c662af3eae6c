"""The quality of a connection, by the packets that one stream loses on it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from livekit.protocol import models

BEST = 100.0
_WORST = 30.0
_GOOD, _POOR, _LOST = 80.0, 40.0, 20.0
_RISE, _FALL = 0.4, 0.8
_UNMUTED_SHARE = 0.5
_VIDEO_WEIGHT = 10.0
_AUDIO_WEIGHTS = {"audio/opus": 8.0 / 1.5, "audio/red": 4.0 / 1.5}


@dataclass(frozen=True, slots=True)
class StreamCounts:
    """The packets of a stream since it began."""

    expected: int
    lost: int


class LossScore:
    """Scores one stream every few seconds (pkg/sfu/connectionquality/scorer.go).

    livekit-server also counts delay and missing layers.
    """

    def __init__(self) -> None:
        self.score = BEST
        """From 0 to 100."""
        self._former = StreamCounts(0, 0)
        self._updated_at = -math.inf

    def update(
        self,
        counts: StreamCounts,
        mime_type: str,
        *,
        muted: bool,
        at: float,
        unmuted_at: float = -math.inf,
    ) -> float:
        """Score the packets sent and lost since the last call, and return the score.

        ``at`` is now, in seconds, and ``unmuted_at`` when the stream was last unmuted. The score
        stays before the first packet, and where most of the time since the last call was muted.
        """
        expected = counts.expected - self._former.expected
        lost = max(0, counts.lost - self._former.lost)
        mostly_muted = (
            unmuted_at > self._updated_at
            and at - unmuted_at <= (at - self._updated_at) * _UNMUTED_SHARE
        )
        self._former, self._updated_at = counts, at
        if muted:
            self.score = BEST
        elif not counts.expected or mostly_muted:
            return self.score
        elif expected <= 0:
            self.score = _POOR  # nothing arrived, though something should have
        else:
            now = max(0.0, BEST - 100.0 * lost / expected * _weight(mime_type))
            factor = _FALL if now < self.score else _RISE
            self.score = max(_WORST, factor * now + (1 - factor) * self.score)
        return self.score


def quality(score: float) -> models.ConnectionQuality:
    """Return the quality for a score."""
    if score > _GOOD:
        return models.ConnectionQuality.EXCELLENT
    if score > _POOR:
        return models.ConnectionQuality.GOOD
    return models.ConnectionQuality.POOR if score > _LOST else models.ConnectionQuality.LOST


def opinion(score: float) -> float:
    """Return the mean opinion score, from 1 to 4.5, for a score."""
    if score >= BEST:
        return 4.5
    return 1.0 + 0.035 * score + 0.000007 * score * (score - 60.0) * (100.0 - score)


def _weight(mime_type: str) -> float:
    if mime_type.startswith("video/"):
        return _VIDEO_WEIGHT
    return _AUDIO_WEIGHTS.get(mime_type.lower(), 0.0)
