"""Fixtures for tests that speak the wire themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.devserver.distribution import programs, wheel
from tests.devserver.raw_worker import ConnectWorker, worker_connections
from tests.devserver.rtp_wire import wire
from tests.devserver.twirp_client import TwirpClient

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.room_server import RoomServerUnderTest

__all__ = ("programs", "wheel", "wire")


@pytest.fixture
async def http() -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def twirp(room_server: RoomServerUnderTest, http: aiohttp.ClientSession) -> TwirpClient:
    return TwirpClient(room_server, http)


@pytest.fixture
async def worker(room_server: RoomServerUnderTest) -> AsyncGenerator[ConnectWorker]:
    async with worker_connections(room_server) as connect:
        yield connect


@pytest.fixture
def agent_name(room_name: str) -> str:
    """An agent name that no other test uses."""
    return f"agent-of-{room_name}"
