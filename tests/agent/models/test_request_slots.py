"""RequestSlots: rooms take turns at the model service, and no room holds all connections."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from agent.models.request_slots import RequestSlots


class Requests:
    """Requests of rooms; each goes on until it is ended."""

    def __init__(self, slots: RequestSlots) -> None:
        self.begun: list[str] = []
        self._slots = slots
        self._ends: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def ask(self, *names: str) -> None:
        """`a1` is the first one of room `a`."""
        for name in names:
            self._ends[name] = asyncio.Event()
            self._tasks[name] = asyncio.create_task(self._run(name))
        await self._settle()

    async def end(self, *names: str) -> None:
        for name in names:
            self._ends[name].set()
            await self._tasks.pop(name)
        await self._settle()

    async def give_up(self, name: str) -> None:
        task = self._tasks.pop(name)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        await self._settle()

    async def _run(self, name: str) -> None:
        async with self._slots.hold(name[0]):
            self.begun.append(name)
            await self._ends[name].wait()

    @staticmethod
    async def _settle() -> None:
        for _ in range(5):
            await asyncio.sleep(0)


async def test_a_room_with_many_requests_leaves_room_for_others() -> None:
    requests = Requests(RequestSlots(4, 2))
    await requests.ask("a1", "a2", "a3", "a4")
    assert requests.begun == ["a1", "a2"]
    await requests.ask("b1")
    assert requests.begun == ["a1", "a2", "b1"]
    await requests.end("a1")
    assert requests.begun[3:] == ["a3"]
    await requests.end("a2", "a3", "a4", "b1")


async def test_rooms_that_wait_take_turns() -> None:
    requests = Requests(RequestSlots(1, 1))
    await requests.ask("a1", "a2", "a3", "b1", "c1", "b2")
    order = ["a1", "a2", "b1", "c1", "a3", "b2"]
    for name in order:
        assert requests.begun[-1] == name
        await requests.end(name)
    assert requests.begun == order


async def test_a_request_that_is_given_up_costs_no_slot() -> None:
    requests = Requests(RequestSlots(1, 1))
    await requests.ask("a1", "a2", "b1")
    await requests.give_up("a2")
    await requests.give_up("a1")
    assert requests.begun == ["a1", "b1"]
    await requests.end("b1")
    await requests.ask("c1")
    assert requests.begun[-1] == "c1"
    await requests.end("c1")


async def test_a_request_that_is_given_up_as_its_turn_comes_costs_no_slot() -> None:
    slots = RequestSlots(1, 1)
    async with AsyncExitStack() as first:
        await first.enter_async_context(slots.hold("a"))
        waiting = asyncio.create_task(slots.hold("b").__aenter__())
        await asyncio.sleep(0)
        await first.aclose()
        waiting.cancel()
        await asyncio.wait([waiting])
    async with asyncio.timeout(1), slots.hold("c"):
        pass
