"""The simulcast layers of a track: 0 is the smallest one."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import TYPE_CHECKING

from livekit.protocol import models

if TYPE_CHECKING:
    from collections.abc import Sequence

    from livekit.protocol import rtc

_ACTIVE_SECONDS = 1.5
_RATE_SECONDS = 1.0
_TOLERANCE = 0.9
_KNOWN = ("q", "h", "f")


class Layers:
    """Which layers the publisher sends, and which of them fits a subscriber."""

    def __init__(self, rids: Sequence[str]) -> None:
        known = all(rid in _KNOWN for rid in rids)
        self.rids = sorted(rids, key=_KNOWN.index) if known else list(rids)
        """The names of the layers, the smallest one first; empty without simulcast."""
        self._came_at: dict[int, float] = {}
        self._octets: dict[int, int] = {}
        self._counted_since = 0.0
        self.rates: dict[int, float] = {}
        """By layer: the bits that came in a second, lately."""

    def index(self, rid: str | None) -> int:
        """Return the number of the layer with this name."""
        return self.rids.index(rid) if rid in self.rids else 0

    def note(self, layer: int, octets: int) -> None:
        """Note that a packet of a layer came."""
        now = self._came_at[layer] = time.monotonic()
        self._octets[layer] = self._octets.get(layer, 0) + octets
        elapsed = now - self._counted_since
        if elapsed >= _RATE_SECONDS:
            self.rates = {each: 8 * count / elapsed for each, count in self._octets.items()}
            self._octets.clear()
            self._counted_since = now

    def best(self, wanted: int) -> int:
        """Return the layer nearest to ``wanted`` that comes just now, rather a smaller one."""
        since = time.monotonic() - _ACTIVE_SECONDS
        active = [layer for layer, came_at in self._came_at.items() if came_at >= since]
        smaller = [layer for layer in active if layer <= wanted]
        return max(smaller) if smaller else min(active, default=wanted)

    def describe(self, infos: Sequence[models.VideoLayer]) -> None:
        """Complete the public info of the layers."""
        for layer in infos:
            layer.spatial_layer = min(layer.quality, max(0, len(self.rids) - 1))
            if self.rids:
                layer.rid = self.rids[layer.spatial_layer]


def wanted_layer(settings: rtc.UpdateTrackSettings, info: models.TrackInfo) -> int:
    """Return the largest layer that a subscriber with these settings wants.

    By the size at which it shows the track, if it states one (livekit-server:
    pkg/rtc/mediatrackreceiver.go, GetQualityForDimension), else by the quality.
    """
    if not settings.width:
        return max(settings.quality, models.LOW)  # clients may state any number
    heights = sorted(layer.height for layer in info.layers)
    if not heights:
        return models.HIGH
    height = int(settings.height * _TOLERANCE)
    for layer, (each, larger) in enumerate(pairwise(heights)):
        if each >= height and each != larger:
            return layer
    return len(heights) - 1
