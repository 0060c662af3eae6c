"""Fixtures: workers under supervisors, and what becomes of conversations with them."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from devserver.model import DemoModel
from tests.agent.outages import (
    FailoverPostgres,
    FullPostgres,
    FullWal,
    LockedSqlite,
    Outage,
    ReadOnlyPostgres,
    StoppedPostgres,
)
from tests.agent.processes.fleet import Fleet
from tests.clock import Clock
from tests.datagrams import Datagrams
from tests.postgres import (
    NoPostgresError,
    primary_and_standby,
    server_on_a_small_disk,
    server_with_a_small_wal,
)
from tests.preload import NoCompilerError
from tests.room_server import RoomServerUnderTest
from tests.tcp_relay import TcpRelay

FAILOVER = "database fails over"
READ_ONLY = "database read-only"
DISK_FULL = "disk full"
WAL_FULL = "disk of the WAL full"
MEDIA_STALLED = "media stalled for 10 s"
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
        try:
            if fault == FAILOVER:
                with primary_and_standby() as servers:
                    yield FailoverPostgres(*servers)
                return
            if fault == DISK_FULL:
                with server_on_a_small_disk() as (server, disk):
                    yield FullPostgres(server, disk)
                return
            if fault == WAL_FULL:
                with server_with_a_small_wal() as (server, disk):
                    yield FullWal(server, disk)
                return
        except NoPostgresError as error:
            pytest.skip(str(error))
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
    except NoCompilerError as error:
        pytest.skip(str(error))


@pytest.fixture
def datagrams(request: pytest.FixtureRequest, tmp_path: Path) -> Datagrams | None:
    """The workers' UDP, where it is what fails."""
    if request.node.callspec.params["fault"] != MEDIA_STALLED:
        return None
    try:
        return Datagrams(tmp_path)
    except NoCompilerError as error:
        pytest.skip(str(error))


@pytest.fixture
def preloaded(clock: Clock | None, datagrams: Datagrams | None) -> Mapping[str, str]:
    """Variables of the workers that load what stands between them and the system."""
    for each in (clock, datagrams):
        if each is not None:
            return each.environ
    return {}


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
    preloaded: Mapping[str, str],
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
        **preloaded,
    }
    async with AsyncExitStack() as stack:
        yield Fleet(environ, tmp_path, stack, environ["AGENT_NAME"])
