from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from agent.access.app_identity import AppIdentity
from agent.access.signing_keys import SigningKeys
from agent.access.token_endpoint import RoomServer, TokenEndpoint
from agent.config.settings import Settings
from tests.agent.access.identity_provider import AUDIENCE, ISSUER, IdentityProvider

KEY = "key"
SECRET = "a secret of thirty-two characters or more"  # noqa: S105 - signs nothing else

Client = TestClient[web.Request, web.Application]
Open = Callable[..., Awaitable[Client]]


@pytest.fixture
async def provider() -> AsyncGenerator[IdentityProvider]:
    async with IdentityProvider() as provider:
        yield provider


@pytest.fixture
async def open_endpoint(provider: IdentityProvider) -> AsyncGenerator[Open]:
    """Opens the endpoint with settings, for users of the provider unless `anybody` is said."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(*, anybody: bool = False, agent_name: str = "", **environ: str) -> Client:
            given = {"ACCESS_ROOMS": "user:{sub} team:{team}:*", **environ}
            settings = Settings.from_environment(given)
            http = await stack.enter_async_context(aiohttp.ClientSession())
            identity = AppIdentity(
                SigningKeys(provider.url, http),
                issuer=ISSUER,
                audience=[AUDIENCE],
                algorithms=settings.access_algorithms,
            )
            server = RoomServer("wss://rooms.example", KEY, SECRET, agent_name, "agent")
            endpoint = TokenEndpoint(settings, server, None if anybody else identity)
            client: Client = TestClient(TestServer(endpoint.app(), host="127.0.0.1"))
            return await stack.enter_async_context(client)

        yield start
