"""A connection of few bits a second, on demand."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from devserver.faults import Faults

_QUEUE_SECONDS = 0.5


class SlowLink:
    """Lets packets wait until those before them are through, as a slow connection does."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._free_at = 0.0

    def delay(self, octets: int) -> float | None:
        """Return the seconds by which a packet is late; None if half a second of them waits
        already, and this one is lost."""
        bandwidth = self._faults.media_bandwidth
        if not bandwidth:
            return 0.0
        now = time.monotonic()
        begins = max(now, self._free_at)
        if begins - now > _QUEUE_SECONDS:
            return None
        self._free_at = begins + 8 * octets / bandwidth
        return self._free_at - now
