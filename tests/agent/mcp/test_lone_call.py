"""A call in a session of its own, which is closed whatever ends the call."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from agent.mcp.lone_call import lone_call
from agent.mcp.session import McpSession
from agent.tasks import Tasks


class SlowSession:
    """A session whose calls never end, and whose program takes its time to."""

    def __init__(self) -> None:
        self.called = asyncio.Event()
        self.closing = asyncio.Event()
        self.has_ended = asyncio.Event()
        self.is_closed = False

    async def open(self) -> None:
        pass

    async def call(self, *_: object) -> None:
        self.called.set()
        await asyncio.Event().wait()

    async def aclose(self) -> None:
        self.closing.set()
        await self.has_ended.wait()
        self.is_closed = True


async def test_a_session_is_closed_to_its_end_though_its_owner_ends_meanwhile() -> None:
    session, tasks = SlowSession(), Tasks()
    call = asyncio.create_task(lone_call(cast("McpSession", session), "hang", {}, tasks))
    async with asyncio.timeout(10):
        await session.called.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await session.closing.wait()
        ending = asyncio.create_task(tasks.aclose())
        # After that task's first step, which cancels what closes the session.
        asyncio.get_running_loop().call_soon(session.has_ended.set)
        await ending
    assert session.is_closed
