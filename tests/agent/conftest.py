"""Fixtures for tests of the worker: a worker with the demo model, and people in its rooms."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest
from livekit import api
from livekit.agents import AgentServer
from pydantic import SecretStr

from agent.app.app import App
from agent.app.app_settings import read_app_settings
from agent.config.settings import Settings
from agent.host.room_host import RoomHost
from devserver.model import DemoModel
from tests.agent.chat_client import ChatClient
from tests.log_guard import LogGuard
from tests.room_server import Grant, RoomServerUnderTest
from toolkit.tool import Tool
from tools import TOOLS

_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Worker:
    """A running worker. Rooms get it by its dispatch name, so that several can run at once."""

    name: str
    host: RoomHost
    server: AgentServer
    settings: Settings


class StartWorker(Protocol):
    """Starts a worker with settings besides the usual ones, by their environment variables, and
    with the tools given, or an app."""

    async def __call__(
        self, *, tools: Sequence[Tool] = TOOLS, app: App | None = None, **environ: str
    ) -> Worker: ...


class Enter(Protocol):
    """Lets somebody join the test's room, or another. The first one to join brings the worker, one
    with the usual settings unless another is given."""

    async def __call__(
        self,
        identity: str,
        *,
        worker: Worker | None = None,
        metadata: str = "",
        name: str = "",
        room: str = "",
        client: ChatClient | None = None,
        attributes: dict[str, str] | None = None,
        **grants: Grant,
    ) -> ChatClient: ...


@pytest.fixture
async def model(log_guard: LogGuard) -> AsyncGenerator[DemoModel]:
    async with DemoModel() as model:
        yield model
    for request in model.requests:
        log_guard.said(*(each.text for each in request.chat.messages if each.role != "system"))


def secrets_of(settings: Settings) -> list[str]:
    values = (getattr(settings, name) for name in Settings.model_fields)
    return [each.get_secret_value() for each in values if isinstance(each, SecretStr)]


@pytest.fixture
async def start_worker(
    room_server: RoomServerUnderTest, model: DemoModel, tmp_path: Path, log_guard: LogGuard
) -> AsyncGenerator[StartWorker]:
    async with AsyncExitStack() as stack:

        async def start(
            *, tools: Sequence[Tool] = TOOLS, app: App | None = None, **environ: str
        ) -> Worker:
            number = next(_NUMBERS)
            settings = Settings.from_environment(
                {
                    "LIVEKIT_URL": room_server.url,
                    "LIVEKIT_API_KEY": room_server.api_key,
                    "LIVEKIT_API_SECRET": room_server.api_secret,
                    "OPENAI_BASE_URL": model.base_url,
                    "AGENT_NAME": f"worker-{number}",
                    "DATABASE_URL": f"sqlite:///{tmp_path}/{number}.db",
                    "ATTACHMENTS_DIR": str(tmp_path / "attachments"),
                    "HTTP_PORT": "0",
                    "SDK_PATCHES": os.environ.get("SDK_PATCHES", "on"),
                    **environ,
                }
            )
            log_guard.keep_secret(*secrets_of(settings))
            if settings.log_content:
                log_guard.allow_words()
            app = app or App(tools=tools)
            host = RoomHost(settings, app, read_app_settings(app.settings, environ))
            server = host.agent_server()
            registered = asyncio.Event()
            server.once("worker_registered", lambda _id, _info: registered.set())  # pyright: ignore[reportUnknownLambdaType]
            running = asyncio.create_task(server.run())

            async def stop() -> None:
                await server.aclose()
                await host.aclose()
                await running

            stack.push_async_callback(stop)
            async with asyncio.timeout(20):
                await registered.wait()
            return Worker(settings.agent_name, host, server, settings)

        yield start


@pytest.fixture
async def enter(
    room_server: RoomServerUnderTest, room_name: str, start_worker: StartWorker, log_guard: LogGuard
) -> AsyncGenerator[Enter]:
    clients: list[ChatClient] = []
    workers: list[Worker] = []

    async def join(
        identity: str,
        *,
        worker: Worker | None = None,
        metadata: str = "",
        name: str = "",
        room: str = "",
        client: ChatClient | None = None,
        attributes: dict[str, str] | None = None,
        **grants: Grant,
    ) -> ChatClient:
        if worker is None and not workers:
            workers.append(await start_worker())
        elif worker is not None and worker not in workers:
            workers.append(worker)
        token = room_server.access_token(identity, room or room_name, **grants).with_name(name)
        token = token.with_attributes(attributes or {})
        dispatch = api.RoomAgentDispatch(agent_name=workers[-1].name, metadata=metadata)
        token = token.with_room_config(api.RoomConfiguration(agents=[dispatch]))
        client = client or ChatClient()
        clients.append(client)
        await client.room.connect(room_server.url, token.to_jwt())
        await client.until_ready()
        return client

    yield join
    for client in clients:
        await client.room.disconnect()
        log_guard.said(*client.words())
