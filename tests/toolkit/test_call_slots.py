import asyncio

import pytest

from toolkit.call_slots import MAX_WAITING, CallSlots
from toolkit.context import ToolContext
from toolkit.errors import RateLimited
from toolkit.questions import Elicitation, Elicited
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
            return await self.count()

        return count

    async def count(self) -> int:
        self.running += 1
        self.most = max(self.most, self.running)
        self.began.set()
        try:
            await self.gate.wait()
        finally:
            self.running -= 1
        return self.most


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


class People:
    """Are asked by calls of a tool that one may run at a time, and answer when they are let."""

    def __init__(self) -> None:
        self.counter = Counter()
        self.asked = asyncio.Semaphore(0)
        self.answers = asyncio.Event()

    def asking(self, timeout: float = 10.0) -> Tool:
        @tool(name="count", max_calls=1, timeout=timeout)
        async def ask_and_count(context: ToolContext) -> int:
            """Ask, then count."""
            await context.elicit("Shall I?")
            return await self.counter.count()

        return ask_and_count

    async def answer(self, _: Elicitation) -> Elicited:
        self.asked.release()
        await self.answers.wait()
        return Elicited("accept")


async def test_a_call_is_no_hindrance_while_somebody_is_asked() -> None:
    people = People()
    asking = people.asking()
    async with Toolbox([asking], ToolSettings()) as toolbox, asyncio.TaskGroup() as group:
        context = toolbox.context().with_answers(people.answer)
        calls = [group.create_task(asking.call({}, context)) for _ in range(3)]
        for _ in calls:
            await people.asked.acquire()
        people.answers.set()
        await people.counter.began.wait()
        people.counter.gate.set()
    # They are asked at once, and go on one after the other.
    assert [call.result() for call in calls] == ["1", "1", "1"]


async def test_a_call_goes_on_before_those_that_have_not_begun() -> None:
    slots = CallSlots("count", 1)
    ended: list[str] = []

    async def begin() -> None:
        async with slots.hold(10):
            ended.append("the new one")

    async def ask() -> None:
        async with slots.hold(10) as slot:
            async with slot.lent():
                asked.set()
                await answered.wait()
            ended.append("the asked one")

    asked, answered = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(ask())
        await asked.wait()
        async with slots.hold(10):
            group.create_task(begin())
            await asyncio.sleep(0)
            answered.set()
            await asyncio.sleep(0)
    assert ended == ["the asked one", "the new one"]


async def test_an_answered_call_whose_turn_does_not_come_fails() -> None:
    people = People()
    asking = people.asking(timeout=0.05)
    async with Toolbox([asking], ToolSettings()) as toolbox:
        context = toolbox.context().with_answers(people.answer)
        call = asyncio.create_task(asking.call({}, context))
        await people.asked.acquire()
        async with toolbox.slots("count", 1).hold(1):
            people.answers.set()
            with pytest.raises(RateLimited, match="count has too many calls"):
                await call


async def test_a_call_that_is_given_up_while_it_asks_leaves_one_slot() -> None:
    people = People()
    asking = people.asking()
    async with Toolbox([asking], ToolSettings()) as toolbox:
        context = toolbox.context().with_answers(people.answer)
        call = asyncio.create_task(asking.call({}, context))
        await people.asked.acquire()
        call.cancel()
        await asyncio.wait([call])
        slots = toolbox.slots("count", 1)
        async with slots.hold(0.05):
            with pytest.raises(RateLimited):
                await slots.hold(0.05).__aenter__()
