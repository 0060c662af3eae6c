"""The embedded server's own bounds, and that it leaves nothing behind when it stops."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest
from livekit import api

from devserver import Limits, RoomServer
from tests.devserver.dispatches import dispatch
from tests.devserver.raw_worker import worker_connections
from tests.room_server import RoomServerUnderTest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

WITHIN = 15.0


@pytest.fixture
async def silent_url() -> AsyncGenerator[str]:
    """An address that takes connections and never answers."""
    ended = asyncio.Event()

    async def hold(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ended.wait()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/"
    ended.set()
    server.close()
    await server.wait_closed()


def under_test(server: RoomServer) -> RoomServerUnderTest:
    return RoomServerUnderTest(server.url, server.api_key, server.api_secret, server)


async def test_it_stops_with_offers_and_webhooks_under_way(silent_url: str) -> None:
    before = asyncio.all_tasks()
    server = RoomServer(webhook_urls=[silent_url])
    await server.start()
    async with (
        worker_connections(under_test(server)) as connect,
        under_test(server).api() as client,
    ):
        worker = await connect("silent")
        await dispatch(client, "room", "silent")
        await worker.offered_job()
        async with asyncio.timeout(WITHIN):
            await server.stop()
        await worker.closed()
    assert not server.tasks
    assert not server.listeners
    left = {task.get_name() for task in asyncio.all_tasks() - before}
    assert not [name for name in left if name.startswith(("assign", "webhooks", "simulate"))]


async def test_a_restart_forgets_workers_and_dispatches_and_serves_again() -> None:
    async with (
        RoomServer() as server,
        worker_connections(under_test(server)) as connect,
        under_test(server).api() as client,
    ):
        before = await connect("someone")
        await server.restart()
        await before.closed()
        after = await connect("someone")
        await dispatch(client, "room", "someone")
        await after.accept(await after.offered_job())


async def test_workers_are_limited() -> None:
    async with (
        RoomServer(limits=Limits(workers=1)) as server,
        worker_connections(under_test(server)) as connect,
    ):
        await connect("first")
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await connect("second")
        assert refused.value.status == 503


async def test_rooms_and_dispatches_are_limited() -> None:
    async with (
        RoomServer(limits=Limits(rooms=1, dispatches_per_room=2)) as server,
        under_test(server).api() as client,
    ):
        await dispatch(client, "room", "first")  # and the room's own, for nameless agents
        with pytest.raises(api.TwirpError) as refused:
            await dispatch(client, "room", "second")
        assert (refused.value.status, refused.value.code) == (429, "resource_exhausted")
        with pytest.raises(api.TwirpError) as refused:
            await client.room.create_room(api.CreateRoomRequest(name="another"))
        assert (refused.value.status, refused.value.code) == (429, "resource_exhausted")


async def test_many_dispatches_are_deleted_without_a_trace() -> None:
    async with (
        RoomServer() as server,
        worker_connections(under_test(server)) as connect,
        under_test(server).api() as client,
    ):
        worker = await connect("someone")
        await client.room.create_room(api.CreateRoomRequest(name="room"))
        for _ in range(50):
            created = await dispatch(client, "room", "someone")
            job = await worker.offered_job()
            await worker.accept(job, identity=created.id)
            await client.agent_dispatch.delete_dispatch(created.id, "room")
            assert await worker.terminated_job() == job.id
        assert len(server.rooms["room"].dispatches) == 1
        assert await worker.nothing_waits()
