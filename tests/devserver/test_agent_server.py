"""Workers of livekit-agents: registered, sent for, refusing, and back after the server was gone."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest
from livekit import rtc
from livekit.agents import AgentServer, JobContext, JobExecutorType, JobRequest
from livekit.protocol import models

from devserver import RoomServer
from tests.devserver.dispatches import dispatch, one_job
from tests.devserver.room_events import RoomEvents
from tests.room_server import RoomServerUnderTest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from livekit import api

    from tests.conftest import Join

WITHIN = 15.0


async def connect(context: JobContext) -> None:
    await context.connect()


async def accept(request: JobRequest) -> None:
    await request.accept(identity="helper", name="Helper")


class Registrations:
    """Counts how often a worker has registered."""

    def __init__(self, server: AgentServer) -> None:
        self._event = asyncio.Event()
        server.on("worker_registered", self._registered)

    def _registered(self, *_: object) -> None:
        self._event.set()

    async def next(self) -> None:
        async with asyncio.timeout(WITHIN):
            await self._event.wait()
        self._event.clear()


@contextlib.asynccontextmanager
async def agent_server(
    server: RoomServerUnderTest,
    agent_name: str,
    on_request: Callable[[JobRequest], Awaitable[None]] = accept,
) -> AsyncGenerator[Registrations]:
    """A worker of livekit-agents in the test's process, registered; its agent does nothing."""
    worker = AgentServer(
        ws_url=server.url,
        api_key=server.api_key,
        api_secret=server.api_secret,
        job_executor_type=JobExecutorType.THREAD,
        num_idle_processes=0,
        load_fnc=lambda _: 0.0,
        host="127.0.0.1",
        port=0,
    )
    worker.rtc_session(connect, agent_name=agent_name, on_request=on_request)
    registrations = Registrations(worker)
    running = asyncio.create_task(worker.run())
    try:
        await registrations.next()
        yield registrations
    finally:
        await worker.aclose()
        await running


@pytest.fixture(autouse=True)
def no_speech_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEKIT_AGENTS_PRELOAD_LOCAL_INFERENCE", "0")


async def test_an_agent_is_sent_for_joins_and_leaves(
    room_server: RoomServerUnderTest,
    lk_api: api.LiveKitAPI,
    join: Join,
    room_name: str,
    agent_name: str,
) -> None:
    asked: list[JobRequest] = []

    async def on_request(request: JobRequest) -> None:
        asked.append(request)
        await accept(request)

    client = await join("someone")
    told = RoomEvents(client, "participant_connected", "participant_disconnected")
    async with agent_server(room_server, agent_name, on_request):
        created = await dispatch(lk_api, room_name, agent_name, "about it")
        await told.next("participant_connected")
        helper = client.remote_participants["helper"]
        assert (helper.name, helper.kind) == ("Helper", models.ParticipantInfo.AGENT)
        assert helper.attributes["lk.agent_name"] == agent_name
        assert helper.attributes["lk.agent.name"] == agent_name
        assert asked[0].job.metadata == "about it"
        await one_job(lk_api, room_name, created.id)
        await lk_api.agent_dispatch.delete_dispatch(created.id, room_name)
        await told.next("participant_disconnected")


async def test_a_job_that_one_worker_refuses_goes_to_the_other(
    room_server: RoomServerUnderTest,
    lk_api: api.LiveKitAPI,
    join: Join,
    room_name: str,
    agent_name: str,
) -> None:
    refused = asyncio.Event()

    async def refuse(request: JobRequest) -> None:
        refused.set()
        await request.reject(terminate=False)

    told = RoomEvents(await join("someone"), "participant_connected", "participant_disconnected")
    async with (
        agent_server(room_server, agent_name, refuse),
        agent_server(room_server, agent_name),
    ):
        # The first to be asked is chosen at random: until it was the one that refuses.
        while not refused.is_set():
            created = await dispatch(lk_api, room_name, agent_name)
            [participant] = await told.next("participant_connected")
            assert participant.identity == "helper"
            await one_job(lk_api, room_name, created.id)
            await lk_api.agent_dispatch.delete_dispatch(created.id, room_name)
            await told.next("participant_disconnected")


async def test_a_worker_comes_back_after_the_server_was_gone(agent_name: str) -> None:
    async with RoomServer() as embedded:
        server = RoomServerUnderTest(embedded.url, embedded.api_key, embedded.api_secret, embedded)
        async with agent_server(server, agent_name) as registrations, server.api() as client:
            await embedded.restart()
            await registrations.next()
            room = rtc.Room()
            told = RoomEvents(room, "participant_connected")
            await room.connect(server.url, server.token("someone", "room"))
            await dispatch(client, "room", agent_name)
            [participant] = await told.next("participant_connected")
            assert participant.identity == "helper"
            await room.disconnect()
