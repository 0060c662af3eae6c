"""Cache: keeps results for a limited time."""

import asyncio
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

from toolkit.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable

V = TypeVar("V")


class Cache(Generic[V]):
    """Keeps up to `size` values for `ttl` seconds; the value unused for longest leaves first.

    Look-ups of one key at the same time share one fetch. A fetch belongs to the cache and not to
    the first caller: it continues if that caller is cancelled, so it needs a timeout of its own.
    Failures reach all waiting callers, and are not cached.
    """

    def __init__(
        self, *, ttl: float, size: int, clock: "Callable[[], float]" = time.monotonic
    ) -> None:
        self._ttl = ttl
        self._size = size
        self._clock = clock
        self._kept: OrderedDict[Hashable, tuple[float, V]] = OrderedDict()
        self._fetching: dict[Hashable, asyncio.Task[V]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    async def get(self, key: "Hashable", fetch: "Callable[[], Coroutine[object, object, V]]") -> V:
        """The cached value of `key`, or the result of `fetch`, whose exceptions it raises.

        Raises:
            Unavailable: too many fetches are in progress, or the cache is closing.
        """
        kept = self._kept.get(key)
        if kept is not None and self._clock() < kept[0]:
            self._kept.move_to_end(key)
            return kept[1]
        task = self._fetching.get(key) or self._start(key, fetch)
        try:
            # Shielded: the cancellation of one caller must not affect the others.
            return await asyncio.shield(task)
        except asyncio.CancelledError as error:
            caller = asyncio.current_task()
            if task.cancelled() and not (caller and caller.cancelling()):
                raise Unavailable("Shutting down") from error
            raise

    async def aclose(self) -> None:
        """Cancels the fetches in progress and empties the cache."""
        tasks = list(self._fetching.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._kept.clear()

    def _start(
        self, key: "Hashable", fetch: "Callable[[], Coroutine[object, object, V]]"
    ) -> asyncio.Task[V]:
        if len(self._fetching) >= self._size:
            raise Unavailable("Too many look-ups at once")
        task = asyncio.create_task(fetch())
        self._fetching[key] = task
        task.add_done_callback(lambda done: self._finish(key, done))
        return task

    def _finish(self, key: "Hashable", task: asyncio.Task[V]) -> None:
        del self._fetching[key]
        # Reading the exception marks it as retrieved, in case every caller was cancelled.
        if task.cancelled() or task.exception() is not None:
            return
        self._kept[key] = (self._clock() + self._ttl, task.result())
        self._kept.move_to_end(key)
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)
