import asyncio

import pytest

from toolkit.cache import Cache
from toolkit.errors import Unavailable


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


class Source:
    """Fetches that count themselves."""

    def __init__(self) -> None:
        self.fetched = 0

    async def fetch(self) -> int:
        self.fetched += 1
        return self.fetched


async def test_a_value_is_kept_until_its_time() -> None:
    clock, source = Clock(), Source()
    cache = Cache[int](ttl=10, size=5, clock=clock)
    assert [await cache.get("a", source.fetch) for _ in range(3)] == [1, 1, 1]
    clock.time = 10.0
    assert await cache.get("a", source.fetch) == 2


async def test_the_value_unused_for_longest_leaves() -> None:
    source = Source()
    cache = Cache[int](ttl=10, size=2)
    for key in ("a", "b", "a", "c"):
        await cache.get(key, source.fetch)
    assert len(cache) == 2
    assert await cache.get("a", source.fetch) == 1
    assert await cache.get("b", source.fetch) == 4


async def test_a_failure_reaches_all_and_is_not_kept() -> None:
    async def fail() -> int:
        raise ValueError("no")

    cache = Cache[int](ttl=10, size=2)
    outcomes = await asyncio.gather(
        cache.get("a", fail), cache.get("a", fail), return_exceptions=True
    )
    assert [str(outcome) for outcome in outcomes] == ["no", "no"]
    assert await cache.get("a", Source().fetch) == 1


async def test_fetches_are_bounded() -> None:
    never = asyncio.Event()

    async def wait() -> int:
        await never.wait()
        return 0

    cache = Cache[int](ttl=10, size=1)
    first = asyncio.create_task(cache.get("a", wait))
    await asyncio.wait([first], timeout=0)
    with pytest.raises(Unavailable, match="Too many"):
        await cache.get("b", wait)
    await cache.aclose()
    with pytest.raises(Unavailable, match="Shutting down"):
        await first
