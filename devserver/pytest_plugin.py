"""A room server as a pytest fixture, for anybody's tests.

In the project's `conftest.py`::

    pytest_plugins = ["devserver.pytest_plugin"]

and in a test::

    async def test_something(livekit_server):
        await room.connect(livekit_server.url, token)

It needs pytest-asyncio, in either of its modes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio

from devserver.server import RoomServer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@pytest_asyncio.fixture
async def livekit_server() -> AsyncGenerator[RoomServer]:
    """A fresh RoomServer for each test, on the test's event loop and a free port."""
    async with RoomServer() as server:
        yield server
