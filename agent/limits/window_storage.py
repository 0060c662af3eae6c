"""WindowStorage: the counts of fixed windows, in memory and bounded.

`limits` has a MemoryStorage, which starts a thread to remove expired windows, up to once for each
hit, and keeps a lock for each key. Here everything runs on one event loop.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from limits.storage import Storage

MAX_WINDOWS: Final = 100_000
"""Windows that are counted at once. Beyond that the oldest one is forgotten."""


@dataclass(slots=True)
class _Window:
    count: int
    ends: float


class WindowStorage(Storage):
    """Counts by key, each until its window ends; times are those of `time.monotonic`."""

    STORAGE_SCHEME = None

    def __init__(self) -> None:
        super().__init__()
        self._windows: OrderedDict[str, _Window] = OrderedDict()
        """In the order in which they began."""

    def __len__(self) -> int:
        return len(self._windows)

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        now = time.monotonic()
        window = self._windows.get(key)
        if window is None or window.ends <= now:
            self._begin(key, amount, now, expiry)
            return amount
        window.count += amount
        return window.count

    def get(self, key: str) -> int:
        window = self._windows.get(key)
        return 0 if window is None or window.ends <= time.monotonic() else window.count

    def get_expiry(self, key: str) -> float:
        window = self._windows.get(key)
        return time.monotonic() if window is None else window.ends

    def clear(self, key: str) -> None:
        self._windows.pop(key, None)

    def reset(self) -> int | None:
        count = len(self._windows)
        self._windows.clear()
        return count

    def check(self) -> bool:
        return True

    def _begin(self, key: str, amount: int, now: float, seconds: float) -> None:
        self._windows.pop(key, None)
        while self._windows:
            oldest = next(iter(self._windows))
            if self._windows[oldest].ends > now and len(self._windows) < MAX_WINDOWS:
                break
            del self._windows[oldest]
        self._windows[key] = _Window(amount, now + seconds)
