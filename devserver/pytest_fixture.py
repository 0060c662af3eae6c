"""The fixture `livekit_server`: see `devserver.pytest_plugin`, which registers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

import devserver
from devserver.timing import DELAYS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from devserver.timing import Timing

_TIMING = "livekit_server_timing"


@pytest_asyncio.fixture
async def livekit_server(pytestconfig: pytest.Config) -> AsyncGenerator[devserver.RoomServer]:
    """A fresh RoomServer for each test, on the test's event loop and a free port."""
    chosen = str(pytestconfig.getini(_TIMING))
    timing: Timing | None = next((timing for timing in DELAYS if timing == chosen), None)
    if timing is None:
        raise pytest.UsageError(f"{_TIMING} is {chosen!r}, not one of {', '.join(DELAYS)}")
    async with devserver.RoomServer(timing=timing) as server:
        yield server
