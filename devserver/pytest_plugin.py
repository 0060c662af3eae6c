"""A room server as a pytest fixture, for anybody's tests.

In the project's `conftest.py`::

    pytest_plugins = ["devserver.pytest_plugin"]

and in a test::

    async def test_something(livekit_server):
        await room.connect(livekit_server.url, token)

It needs pytest-asyncio, in either of its modes. The ini option `livekit_server_timing` is
`livekit`, so that a test which passes here passes on livekit-server, or `instant`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from devserver.server import RoomServer
from devserver.timing import DELAYS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from devserver.timing import Timing


_TIMING = "livekit_server_timing"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that says how late the server is."""
    parser.addini(_TIMING, "timing of livekit_server: livekit or instant", default="livekit")


@pytest_asyncio.fixture
async def livekit_server(pytestconfig: pytest.Config) -> AsyncGenerator[RoomServer]:
    """A fresh RoomServer for each test, on the test's event loop and a free port."""
    chosen = str(pytestconfig.getini(_TIMING))
    timing: Timing | None = next((timing for timing in DELAYS if timing == chosen), None)
    if timing is None:
        raise pytest.UsageError(f"{_TIMING} is {chosen!r}, not one of {', '.join(DELAYS)}")
    async with RoomServer(timing=timing) as server:
        yield server
