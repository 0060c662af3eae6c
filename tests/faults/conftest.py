"""Fixtures: workers under supervisors, and what becomes of conversations with them."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from devserver.model import DemoModel
from tests.agent.outages import (
    FailoverPostgres,
    LockedSqlite,
    Outage,
    ReadOnlyPostgres,
    StoppedPostgres,
)
from tests.agent.processes.fleet import Fleet
from tests.clock import Clock, NoClockError
from tests.postgres import NoPostgresError, primary_and_standby
from tests.room_server import RoomServerUnderTest
from tests.tcp_relay import TcpRelay

FAILOVER = "database fails over"
READ_ONLY = "database read-only"
CLOCKS = {"clock 5 min ahead": 300, "clock 3 h ahead": 10_800, "clock 3 h behind": -10_800}
"""Seconds that the workers' clock is set forward, or back."""

DATABASE = os.environ.get("FAULTS_DATABASE", "sqlite")


@pytest.fixture
async def model() -> AsyncGenerator[DemoModel]:
    async with DemoModel() as model:
        yield model


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Outage]:
    """A database that can be taken away."""
    fault: str = request.node.callspec.params["fault"]
    if DATABASE == "postgres":
        if fault == FAILOVER:
            try:
                with primary_and_standby() as servers:
                    yield FailoverPostgres(*servers)
            except NoPostgresError as error:
                pytest.skip(str(error))
            return
        outage = ReadOnlyPostgres if fault == READ_ONLY else StoppedPostgres
        yield outage(request.getfixturevalue("postgres"))
        return
    locked = LockedSqlite(tmp_path / "faults.db")
    yield locked
    locked.close()


@pytest.fixture
def clock(request: pytest.FixtureRequest, tmp_path: Path) -> Clock | None:
    """The workers' clock, where it is what fails."""
    if request.node.callspec.params["fault"] not in CLOCKS:
        return None
    try:
        return Clock(tmp_path)
    except NoClockError as error:
        pytest.skip(str(error))


@pytest.fixture
async def relay(room_server: RoomServerUnderTest) -> AsyncGenerator[TcpRelay]:
    """The workers' way to the room server."""
    async with TcpRelay(int(room_server.url.rpartition(":")[2])) as relay:
        yield relay


@pytest.fixture
async def fleet(
    room_server: RoomServerUnderTest,
    model: DemoModel,
    database: Outage,
    clock: Clock | None,
    relay: TcpRelay,
    tmp_path: Path,
    room_name: str,
) -> AsyncGenerator[Fleet]:
    environ = {
        "LIVEKIT_URL": f"ws://127.0.0.1:{relay.port}",
        "LIVEKIT_API_KEY": room_server.api_key,
        "LIVEKIT_API_SECRET": room_server.api_secret,
        "OPENAI_BASE_URL": model.base_url,
        "DATABASE_URL": database.url,
        "DRAIN_TIMEOUT": "1",
        "HEARTBEAT_TIMEOUT": "3",
        "LLM_TIMEOUT": "3",
        # A server that crashed creates the room again.
        "CONVERSATIONS": "room-name",
        "AGENT_NAME": f"for {room_name}",
        **({} if clock is None else clock.environ),
    }
    async with AsyncExitStack() as stack:
        yield Fleet(environ, tmp_path, stack, environ["AGENT_NAME"])
