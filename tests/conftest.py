"""Fixtures for all tests: a real room (tests/room_server.py says which), a private Postgres."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest
from livekit import rtc

from tests.log_guard import GUARD, LogGuard
from tests.postgres import NoPostgresError, PostgresServer
from tests.room_server import Grant, RoomServerUnderTest, running_room_server

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

    from livekit import api


_COLLECTIONS = (10_000, 20, 10)
"""The collector's thresholds; Python's own are 700, 10, 10."""
_EXIT_STATUS = pytest.StashKey[int]()


def pytest_configure() -> None:
    """Spares the collector what is imported: it took three of sixteen seconds of a collection."""
    gc.set_threshold(*_COLLECTIONS)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    session.config.stash[_EXIT_STATUS] = exitstatus


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Ends a process that has used the SDK as commands do: see agent/processes/process_end.py."""
    if "livekit.rtc" in sys.modules and _EXIT_STATUS in config.stash:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(config.stash[_EXIT_STATUS])


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files whose tests may take longest come first, so that none of them runs alone at the end."""
    longest: dict[Path, float] = {}
    for item in items:
        mark = item.get_closest_marker("timeout")
        seconds = float(mark.args[0]) if mark else 0.0
        longest[item.path] = max(seconds, longest.get(item.path, 0.0))
    items.sort(key=lambda item: longest[item.path], reverse=True)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Spares the collector what lives as long as the session: modules and the tests themselves.

    It took a fifth of the processor time of tests in rooms, for 300,000 objects that never go.
    """
    gc.collect()
    gc.freeze()


def pytest_runtest_logstart() -> None:
    GUARD.begin()


@pytest.fixture(autouse=True)
def log_guard() -> Generator[LogGuard]:
    """Fails a test that logs secrets or people's words: tests/log_guard.py."""
    yield GUARD
    found = GUARD.found()
    if found:
        pytest.fail("secrets or people's words are in the log:\n" + "\n".join(found[:10]))


class Join(Protocol):
    """Connects a client of the official SDK to the test's room (or another `room`).

    `prepare` is called with the Room before it connects: the place to register handlers. `token`
    replaces the token made from `identity` and `grants` (the fields of api.VideoGrants).
    """

    async def __call__(
        self,
        identity: str,
        *,
        room: str | None = None,
        token: str | None = None,
        options: rtc.RoomOptions | None = None,
        prepare: Callable[[rtc.Room], object] | None = None,
        **grants: Grant,
    ) -> rtc.Room: ...


@pytest.fixture(scope="session")
async def room_server(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncGenerator[RoomServerUnderTest]:
    directory = tmp_path_factory.mktemp("room_server")
    async with running_room_server(os.environ, directory) as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Generator[PostgresServer]:
    """A running server for the whole session."""
    # Not below pytest's directory: the server may run as somebody else, who has no way into it.
    with tempfile.TemporaryDirectory(prefix="pg-") as directory:
        try:
            server = PostgresServer(Path(directory))
            server.start()
        except NoPostgresError as error:
            pytest.skip(str(error))
        yield server
        server.stop(crash=True)  # nobody reads its data any more


@pytest.fixture
def room_name() -> str:
    """A room that no other test uses."""
    return f"room-{uuid.uuid4().hex[:12]}"


@pytest.fixture
async def lk_api(room_server: RoomServerUnderTest) -> AsyncGenerator[api.LiveKitAPI]:
    async with room_server.api() as client:
        yield client


@pytest.fixture
async def join(room_server: RoomServerUnderTest, room_name: str) -> AsyncGenerator[Join]:
    rooms: list[rtc.Room] = []

    async def connect(
        identity: str,
        *,
        room: str | None = None,
        token: str | None = None,
        options: rtc.RoomOptions | None = None,
        prepare: Callable[[rtc.Room], object] | None = None,
        **grants: Grant,
    ) -> rtc.Room:
        client = rtc.Room()
        if prepare is not None:
            prepare(client)
        rooms.append(client)
        # Never under a timeout: a cancelled connect() aborts the process later (python-sdks#784).
        await client.connect(
            room_server.url,
            token or room_server.token(identity, room or room_name, **grants),
            options or rtc.RoomOptions(),
        )
        return client

    yield connect
    await asyncio.gather(*(room.disconnect() for room in rooms))
