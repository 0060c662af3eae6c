import asyncio

import pytest

from toolkit.call_slots import MAX_WAITING
from toolkit.errors import RateLimited
from toolkit.settings import ToolSettings
from toolkit.tool import Tool, tool
from toolkit.toolbox import Toolbox


class Counter:
    """Counts how many calls run side by side, while the gate is shut."""

    def __init__(self) -> None:
        self.running = 0
        self.most = 0
        self.began = asyncio.Event()
        self.gate = asyncio.Event()

    def limited(self, max_calls: int, timeout: float = 10.0) -> Tool:
        @tool(max_calls=max_calls, timeout=timeout)
        async def count() -> int:
            """Count."""
            self.running += 1
            self.most = max(self.most, self.running)
            self.began.set()
            try:
                await self.gate.wait()
            finally:
                self.running -= 1
            return self.most

        return count


async def test_the_other_calls_wait_for_their_turn() -> None:
    counter = Counter()
    async with (
        Toolbox([counter.limited(2)], ToolSettings()) as toolbox,
        asyncio.TaskGroup() as group,
    ):
        calls = [group.create_task(toolbox.call("count", {})) for _ in range(6)]
        await counter.began.wait()
        counter.gate.set()
    assert [call.result() for call in calls] == ["2"] * 6


async def test_rooms_share_the_places() -> None:
    counter = Counter()
    async with (
        Toolbox([counter.limited(1)], ToolSettings()) as toolbox,
        asyncio.TaskGroup() as group,
    ):
        rooms = [toolbox.only(["count"]), toolbox.only(["count"])]
        calls = [group.create_task(room.call("count", {})) for room in rooms]
        await counter.began.wait()
        counter.gate.set()
    assert [call.result() for call in calls] == ["1", "1"]


async def test_a_sender_who_waited_in_vain_is_asked_to_send_again() -> None:
    counter = Counter()
    async with Toolbox([counter.limited(1, timeout=0.05)], ToolSettings()) as toolbox:
        async with toolbox.slots("count", 1).hold(1):
            with pytest.raises(RateLimited, match="count has too many calls") as caught:
                await toolbox.call("count", {})
        assert caught.value.retry_after
        counter.gate.set()
        assert await toolbox.call("count", {}) == "1"


async def test_a_queue_that_is_full_refuses_at_once() -> None:
    counter = Counter()
    async with Toolbox([counter.limited(1)], ToolSettings()) as toolbox:
        waiting = [asyncio.create_task(toolbox.call("count", {})) for _ in range(MAX_WAITING + 1)]
        await counter.began.wait()
        with pytest.raises(RateLimited):
            await toolbox.call("count", {})
        for call in waiting[1:]:
            call.cancel()
        await asyncio.wait(waiting[1:])
        counter.gate.set()
        assert await waiting[0] == "1"
        assert await toolbox.call("count", {}) == "1"
