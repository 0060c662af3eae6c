"""Messages of one person pass in the order in which they began to arrive."""

from __future__ import annotations

import asyncio

from agent.inbox.arrival_order import ArrivalOrder


async def test_the_later_one_waits_for_the_earlier() -> None:
    order = ArrivalOrder(patience=20)
    passed: list[str] = []
    first, second = order.enter("alice"), order.enter("alice")

    async def go() -> None:
        await order.forerunners("alice", second)
        passed.append("second")

    waiting = asyncio.create_task(go())
    await order.forerunners("alice", first)
    passed.append("first")
    order.leave("alice", first)
    await waiting
    assert passed == ["first", "second"]
    order.leave("alice", second)
    assert order.waiting("alice") == 0


async def test_one_that_never_ends_is_not_waited_for_forever() -> None:
    order = ArrivalOrder(patience=0.01)
    order.enter("alice")
    second = order.enter("alice")
    await order.forerunners("alice", second)
    assert order.waiting("alice") == 2


async def test_people_do_not_wait_for_each_other() -> None:
    order = ArrivalOrder(patience=20)
    order.enter("alice")
    bobs = order.enter("bob")
    async with asyncio.timeout(1):
        await order.forerunners("bob", bobs)
