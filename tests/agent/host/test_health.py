"""`/healthz` and `/readyz` of a worker that runs in one process."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from livekit import api
from yarl import URL

from devserver.model import DemoModel, Reply
from tests.agent.conftest import Enter, StartWorker, Worker
from tests.agent.outages import MissingSqlite
from tests.room_server import RoomServerUnderTest
from tests.tcp_relay import TcpRelay

Page = tuple[int, dict[str, Any]]


async def page(worker: Worker, path: str) -> Page:
    """Status and JSON of one of a worker's pages."""
    url = f"http://127.0.0.1:{worker.server.worker_info.http_port}{path}"
    async with aiohttp.ClientSession() as client, client.get(url) as answer:
        return answer.status, await answer.json()


async def until_ready(worker: Worker, *, ready: bool = True) -> Page:
    """The `/readyz` page as soon as it says so. Pages announce nothing: it is asked again."""
    async with asyncio.timeout(30):
        while ((found := await page(worker, "/readyz"))[0] == 200) is not ready:
            pass
    return found


async def test_a_worker_that_waits_for_rooms_is_alive_and_ready(start_worker: StartWorker) -> None:
    worker = await start_worker()

    assert await page(worker, "/healthz") == (200, {"status": "alive", "reasons": []})
    assert await until_ready(worker) == (
        200,
        {
            "status": "ready",
            "reasons": [],
            "connected": True,
            "full": False,
            "draining": False,
            "database": "working",
            "model": "unknown",
        },
    )


async def test_a_full_worker_is_not_ready(start_worker: StartWorker, enter: Enter) -> None:
    worker = await start_worker(AGENT_MAX_ROOMS="1")
    await until_ready(worker)

    await enter("alice", worker=worker)

    status, said = await page(worker, "/readyz")
    assert (status, said["full"]) == (503, True)
    assert said["reasons"] == ["full: it holds AGENT_MAX_ROOMS rooms"]


async def test_a_draining_worker_is_alive_but_not_ready(
    start_worker: StartWorker, enter: Enter, lk_api: api.LiveKitAPI, room_name: str
) -> None:
    worker = await start_worker()
    await until_ready(worker)
    await enter("alice", worker=worker)

    draining = asyncio.create_task(worker.server.drain())
    status, said = await until_ready(worker, ready=False)

    assert (status, said["reasons"]) == (503, ["draining"])
    assert (await page(worker, "/healthz"))[0] == 200
    await lk_api.room.delete_room(api.DeleteRoomRequest(room=room_name))
    await draining


async def test_a_worker_that_lost_the_room_server_is_not_ready_until_it_is_back(
    start_worker: StartWorker, room_server: RoomServerUnderTest
) -> None:
    port = URL(room_server.url).port
    assert port is not None
    async with TcpRelay(port) as relay:
        worker = await start_worker(LIVEKIT_URL=f"ws://127.0.0.1:{relay.port}")
        await until_ready(worker)

        relay.cut()
        _, said = await until_ready(worker, ready=False)
        assert said["connected"] is False
        assert said["reasons"] == ["not connected to the LiveKit server"]
        assert (await page(worker, "/healthz"))[0] == 200

        relay.mend()
        assert (await until_ready(worker))[1]["connected"] is True


async def test_the_database_counts_as_it_was_last_seen(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    database = MissingSqlite(tmp_path)
    await database.begin()
    worker = await start_worker(DATABASE_URL=database.url)
    async with asyncio.timeout(30):
        while (said := (await page(worker, "/readyz"))[1])["database"] == "unknown":
            pass

    assert said["reasons"] == ["the database is unavailable"]
    await database.end()
    assert (await until_ready(worker))[1]["database"] == "working"


@pytest.mark.parametrize(
    ("failure", "ready"),
    [(Reply(status=401), False), (Reply(status=400), True)],
    ids=["the service refuses everything", "the service refuses one request"],
)
async def test_the_model_counts_as_it_was_last_seen(
    start_worker: StartWorker, enter: Enter, model: DemoModel, failure: Reply, *, ready: bool
) -> None:
    worker = await start_worker()
    alice = await enter("alice", worker=worker)
    model.script(failure)
    assert (await alice.ask("hello")).finish_reason == "error"

    status, said = await page(worker, "/readyz")
    assert (status == 200) is ready
    assert said["reasons"] == ([] if ready else ["the model service fails"])

    assert (await alice.ask("and now?")).finish_reason == "stop"
    assert (await until_ready(worker))[1]["model"] == "working"
