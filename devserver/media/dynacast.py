"""Dynacast: tells a publisher which layers of its video somebody watches, so that it may stop
sending the others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_FIRST_AFTER_SECONDS = 10.0
_LESS_AFTER_SECONDS = 5.0
_QUALITIES = (models.LOW, models.MEDIUM, models.HIGH)


class Dynacast:
    """Tells the publisher the largest quality that somebody watches.

    As in livekit-server (pkg/rtc/dynacast, and config.go, DynacastPauseDelay): an increase is sent
    at once, a decrease after 5 seconds. Before anybody has subscribed nothing is sent for 10
    seconds, and then that nobody watches. The publisher of a muted track gets it when it unmutes.
    """

    def __init__(
        self,
        info: models.TrackInfo,
        send: Callable[[rtc.SignalResponse], None],
        *,
        first_after: float = _FIRST_AFTER_SECONDS,
        less_after: float = _LESS_AFTER_SECONDS,
    ) -> None:
        """``info`` is the track's own, which changes with it; delays are seconds."""
        self._info = info
        self._send = send
        self._first_after, self._less_after = first_after, less_after
        self._watched: models.VideoQuality = models.VideoQuality.OFF
        self._told: models.VideoQuality | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin: the track is published."""
        self._tell_after(self._first_after)

    def close(self) -> None:
        """Stop sending updates."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def watch(self, qualities: Sequence[models.VideoQuality]) -> None:
        """Note what the subscribers want now, OFF for one that wants nothing."""
        self._watched = max(qualities, key=_rank, default=models.VideoQuality.OFF)
        told = self._told
        if told is None or _rank(self._watched) > _rank(told):
            self._tell()
        elif self._watched != told and self._timer is None:
            self._tell_after(self._less_after)

    def unmuted(self) -> None:
        """Send the quality again: nothing was sent while the track was muted."""
        if self._told is not None:
            self._tell()

    def _tell_after(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._tell)

    def _tell(self) -> None:
        self.close()
        self._told = self._watched
        if not self._info.muted:
            self._send(rtc.SignalResponse(subscribed_quality_update=self._update()))

    def _update(self) -> rtc.SubscribedQualityUpdate:
        qualities = [
            rtc.SubscribedQuality(quality=each, enabled=_rank(each) <= _rank(self._watched))
            for each in _QUALITIES
        ]
        codec = self._info.mime_type.rpartition("/")[2].lower()
        return rtc.SubscribedQualityUpdate(
            track_sid=self._info.sid,
            subscribed_qualities=qualities,
            subscribed_codecs=[rtc.SubscribedCodec(codec=codec, qualities=qualities)],
        )


def quality_of(layer: int, info: models.TrackInfo) -> models.VideoQuality:
    """Return the quality of a layer, or of the largest one if there is no such layer."""
    qualities = sorted(each.quality for each in info.layers)
    return qualities[min(layer, len(qualities) - 1)] if qualities else models.VideoQuality.HIGH


def _rank(quality: models.VideoQuality) -> int:
    """Return 0 for OFF, and more for more pixels."""
    return 0 if quality == models.VideoQuality.OFF else quality + 1
