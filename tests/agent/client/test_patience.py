"""Patience: a call's time stands still while somebody is asked."""

from __future__ import annotations

import asyncio

import pytest

from agent.client.patience import Patience


async def in_turn(times: int = 5) -> None:
    """Lets all that is due happen."""
    for _ in range(times):
        await asyncio.sleep(0)


async def called(patience: Patience) -> None:
    """A call without time: what waits in it, outside of questions, waits too long."""
    async with patience.limit(0.0):
        with patience.asked():
            with patience.asked():
                await in_turn()
            await in_turn()
        await asyncio.Event().wait()


async def test_question_time_does_not_count() -> None:
    patience = Patience()
    with pytest.raises(TimeoutError):
        await called(patience)
    with patience.asked():
        async with patience.limit(0.0):
            await in_turn()


async def test_a_question_may_end_after_its_call() -> None:
    patience = Patience()
    over = asyncio.Event()

    async def ask() -> None:
        with patience.asked():
            await over.wait()

    asking = asyncio.create_task(ask())
    await in_turn()
    async with patience.limit(0.0):
        await in_turn()
    over.set()
    await asking
    with pytest.raises(TimeoutError):
        await called(patience)
