"""The steps by which an agent leaves a room share the time that is left."""

from __future__ import annotations

import asyncio
import logging

import pytest

from agent.room.leaving import Leaving, LeavingTime


async def never() -> None:
    await asyncio.Event().wait()


async def fails() -> None:
    raise OSError("the app's database")


async def test_each_step_has_its_turn_while_the_process_closes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    time = LeavingTime()
    time.hasten(0.2)
    leaving = Leaving(time)
    done: list[str] = []

    async def does(name: str) -> None:
        await asyncio.sleep(0)
        done.append(name)

    await leaving.step(never(), "the app", rest=0.1)
    await leaving.step(fails(), "the accounts", rest=0.05)
    # Its share is over; it is begun all the same.
    await leaving.step(does("state"), "the state", rest=0.2)
    await leaving.aclose()
    assert done == ["state"]
    assert caplog.messages == [
        "the app did not end in time, the agent leaves meanwhile",
        "the accounts failed while the agent left",
    ]


async def test_a_step_takes_its_time_unless_the_process_closes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    time = LeavingTime()
    leaving = Leaving(time)
    called_off = asyncio.Event()

    async def lingers() -> None:
        try:
            await never()
        finally:
            called_off.set()

    step = asyncio.create_task(leaving.step(lingers(), "the app", rest=0.3))
    done, _ = await asyncio.wait((step,), timeout=0.05)
    assert not done
    # The room is being left already.
    time.hasten(0.3)
    await step
    assert not called_off.is_set()
    await leaving.aclose()
    assert called_off.is_set()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


async def test_the_failure_of_a_step_that_was_left_behind_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    time = LeavingTime()
    time.hasten(20.0)
    leaving = Leaving(time)
    free = asyncio.Event()

    async def fails_late() -> None:
        await free.wait()
        await fails()

    await leaving.step(fails_late(), "the app", rest=20.0)
    free.set()
    await leaving.aclose()
    assert caplog.messages == [
        "the app did not end in time, the agent leaves meanwhile",
        "the app failed while the agent left",
    ]


async def test_a_step_that_was_left_behind_has_the_rest_of_the_time() -> None:
    time = LeavingTime()
    time.hasten(20.0)
    leaving = Leaving(time)
    free, saved = asyncio.Event(), asyncio.Event()

    async def saves() -> None:
        await free.wait()
        saved.set()

    await leaving.step(saves(), "the app", rest=20.0)
    ending = asyncio.create_task(leaving.aclose())
    await asyncio.sleep(0)
    free.set()
    await ending
    assert saved.is_set()
