"""Fixtures for clients in JavaScript and Python; the worker comes from tests/agent/conftest.py."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from types import ModuleType
from typing import Protocol, cast

import pytest
from livekit import api

from tests.agent.clients import document
from tests.agent.clients.browser import (
    LIVEKIT_CLIENT,
    OLD_LIVEKIT_CLIENT,
    PACKAGES,
    BrowserClient,
    Chromium,
)
from tests.agent.clients.example_client import ExampleClient
from tests.agent.clients.python_client import PythonClient
from tests.agent.conftest import StartWorker, Worker
from tests.chromium import browser_on_path
from tests.room_server import Grant, RoomServerUnderTest


class OpenPage(Protocol):
    """Opens a page in Chromium for the holder of a token: see Chromium.open_page."""

    async def __call__(
        self, token: str, package: str = ..., options: Mapping[str, object] | None = None
    ) -> BrowserClient: ...


class OpenClient(Protocol):
    """Opens a client of the test's language for somebody, who is not in the room yet: see
    ExampleClient.connect. The first one brings the worker, one with the usual settings unless
    another is given."""

    async def __call__(
        self, identity: str, *, name: str = "", worker: Worker | None = None, **grants: Grant
    ) -> ExampleClient: ...


class Example(Protocol):
    """An example of the test's language, from the document that the test's module has as DOCUMENT:
    by its heading, and its number where there are several under that."""

    def __call__(self, heading: str, number: int = 0) -> str: ...


@pytest.fixture(params=["js", "python"])
def language(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def example(request: pytest.FixtureRequest, language: str) -> Example:
    module = cast("ModuleType", request.module)  # pyright: ignore[reportUnknownMemberType] - not typed
    name: str = module.DOCUMENT

    def find(heading: str, number: int = 0) -> str:
        return document.examples(name, language)[heading][number]

    return find


@pytest.fixture(scope="package")
async def chromium() -> AsyncGenerator[Chromium | None]:
    """The browser; None where it, or livekit-client, is not installed."""
    packages = (LIVEKIT_CLIENT, OLD_LIVEKIT_CLIENT)
    is_installed = all((PACKAGES / package).exists() for package in packages)
    executable = browser_on_path() if is_installed else None
    browser = Chromium(executable) if executable else None
    yield browser
    if browser is not None:
        await browser.aclose()


@pytest.fixture
async def open_page(
    chromium: Chromium | None, room_server: RoomServerUnderTest
) -> AsyncGenerator[OpenPage]:
    async with AsyncExitStack() as stack:

        async def open_for(
            token: str,
            package: str = LIVEKIT_CLIENT,
            options: Mapping[str, object] | None = None,
        ) -> BrowserClient:
            if chromium is None:
                pytest.skip("no Chromium or no livekit-client: `make setup-clients` installs both")
            client = await chromium.open_page(room_server.url, token, package, options)
            stack.push_async_callback(client.aclose)
            return client

        yield open_for


@pytest.fixture
async def open_python(
    room_server: RoomServerUnderTest,
) -> AsyncGenerator[Callable[[str], Awaitable[PythonClient]]]:
    async with AsyncExitStack() as stack:

        async def open_for(token: str) -> PythonClient:
            client = PythonClient(room_server.url, token)
            stack.push_async_callback(client.aclose)
            return client

        yield open_for


@pytest.fixture
def open_client(
    language: str,
    open_page: OpenPage,
    open_python: Callable[[str], Awaitable[PythonClient]],
    room_server: RoomServerUnderTest,
    room_name: str,
    start_worker: StartWorker,
) -> OpenClient:
    open_with = open_page if language == "js" else open_python
    workers: list[Worker] = []

    async def open_for(
        identity: str, *, name: str = "", worker: Worker | None = None, **grants: Grant
    ) -> ExampleClient:
        if not workers:
            workers.append(worker or await start_worker())
        dispatch = api.RoomAgentDispatch(agent_name=workers[0].name)
        token = room_server.access_token(identity, room_name, **grants).with_name(name)
        token = token.with_room_config(api.RoomConfiguration(agents=[dispatch]))
        return await open_with(token.to_jwt())

    return open_for
