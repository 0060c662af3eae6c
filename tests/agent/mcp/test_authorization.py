"""Headers that change: tokens that expire, and what a caller's token says."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from urllib.parse import parse_qs

import httpx2
import pytest

from agent.app.app import App
from agent.app.app_error import AppError
from agent.config.mcp_servers import HttpServer, StdioServer
from agent.config.proxies import Proxies
from agent.config.settings import Settings
from agent.host.tool_sources import mcp_servers
from agent.mcp import authorization, connection
from agent.mcp.authorization import NoTokenError, ServerHeaders
from tests.agent.mcp.kept import kept
from tests.agent.mcp.programs import free_port
from tests.agent.mcp.test_questions import ASKING_SERVER
from toolkit.caller import Caller
from toolkit.errors import NotAllowed

TOKENS = "https://login.example.org/token"


def server(**settings: object) -> HttpServer:
    return HttpServer.model_validate({"url": "https://mcp.example.org/mcp", **settings})


def fixed() -> dict[str, str]:
    """Headers for everybody."""
    return {"X-Key": "1"}


class Endpoints:
    """A token endpoint and a server that takes the tokens which it has not taken back."""

    def __init__(self, life: float = 3600.0) -> None:
        self.forms: list[Mapping[str, list[str]]] = []
        self.authorizations: list[str] = []
        self.refused: set[str] = set()
        self.status = 200
        self._life = life

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        authorization = request.headers.get("Authorization", "")
        if str(request.url) != TOKENS:
            self.authorizations.append(authorization)
            return httpx2.Response(401 if authorization in self.refused else 200)
        self.forms.append(parse_qs(request.content.decode()))
        assert authorization == "Basic bWU6aGlkZGVu"  # me:hidden
        answer = {"access_token": f"t{len(self.forms)}", "expires_in": self._life}
        return httpx2.Response(self.status, json=answer)

    def client(self, auth: httpx2.Auth) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(transport=httpx2.MockTransport(self.answer), auth=auth)


def oauth(**settings: object) -> HttpServer:
    own = {"tokenUrl": TOKENS, "clientId": "me", "clientSecret": "hidden"}
    return server(oauth={**own, **settings})


async def test_a_token_is_asked_for_once_and_again_when_the_server_refuses_it() -> None:
    endpoints = Endpoints()
    headers = ServerHeaders(oauth(scope="read", audience="mcp"))
    async with (
        endpoints.client(headers.of(None, is_call=False)) as one,
        endpoints.client(headers.of(Caller("alice"), is_call=True)) as other,
    ):
        url = "https://mcp.example.org/mcp"
        responses = await asyncio.gather(one.get(url), other.get(url))
        assert [each.status_code for each in responses] == [200, 200]
        assert endpoints.forms == [
            {"grant_type": ["client_credentials"], "scope": ["read"], "audience": ["mcp"]}
        ]
        endpoints.refused.add("Bearer t1")
        assert (await one.get(url)).status_code == 200
        assert endpoints.authorizations[-2:] == ["Bearer t1", "Bearer t2"]
        endpoints.refused.add("Bearer t2")
        endpoints.refused.add("Bearer t3")
        assert (await one.get(url)).status_code == 401
        assert len(endpoints.forms) == 3


async def test_a_token_is_asked_for_again_before_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(authorization.time, "monotonic", lambda: now)
    endpoints = Endpoints(life=100)
    async with endpoints.client(ServerHeaders(oauth()).of(None, is_call=False)) as client:
        for now, asked in ((1000.0, 1), (1069.0, 1), (1071.0, 2)):
            await client.get("https://mcp.example.org/mcp")
            assert len(endpoints.forms) == asked, now


async def test_a_life_that_no_clock_takes_is_a_long_one(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(authorization.time, "monotonic", lambda: now)
    endpoints = Endpoints(life=10**400)
    async with endpoints.client(ServerHeaders(oauth()).of(None, is_call=False)) as client:
        for now in (1000.0, 1000.0 + 86_400):
            await client.get("https://mcp.example.org/mcp")
            assert len(endpoints.forms) == 1, now


async def test_an_endpoint_without_a_token_is_an_error_without_secrets() -> None:
    endpoints = Endpoints()
    endpoints.status = 400
    async with endpoints.client(ServerHeaders(oauth()).of(None, is_call=False)) as client:
        with pytest.raises(NoTokenError, match="the token endpoint answered 400"):
            await client.get("https://mcp.example.org/mcp")
    assert not endpoints.authorizations


async def test_the_apps_function_makes_headers_for_each_request_and_each_caller() -> None:
    seen: list[str | None] = []

    async def make(caller: Caller | None) -> dict[str, str]:
        seen.append(caller and caller.identity)
        return {"Authorization": f"Bearer {len(seen)}"}

    endpoints = Endpoints()
    headers = ServerHeaders(server(), make)
    assert headers.differ
    assert not ServerHeaders(server(), fixed).differ
    for auth in (headers.of(None, is_call=False), headers.of(Caller("alice"), is_call=True)):
        async with endpoints.client(auth) as client:
            await client.get("https://mcp.example.org/mcp")
    assert seen == [None, "alice"]
    assert endpoints.authorizations == ["Bearer 1", "Bearer 2"]


@pytest.mark.parametrize(
    "caller",
    [
        None,
        Caller("alice", vouched=True),
        Caller("alice", attributes={"tenant": "acme"}),
        Caller("alice", attributes={"tenant": "a\r\nX-User: bob"}, vouched=True),
        Caller("alice", attributes={"tenant": "Zürich"}, vouched=True),
    ],
    ids=["nobody", "no attribute", "not vouched for", "a line break", "no ASCII"],
)
def test_a_call_without_an_attribute_that_the_server_needs_is_refused(
    caller: Caller | None,
) -> None:
    headers = ServerHeaders(server(participantHeaders={"X-Tenant": "{tenant}"}))
    with pytest.raises(NotAllowed):
        headers.of(caller, is_call=True)
    headers.of(caller, is_call=False)


async def test_a_call_has_its_callers_headers_and_tells_of_tools_that_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "FIRST_DELAY", 0.05)
    monkeypatch.setattr(connection, "CHECK_INTERVAL", 600.0)
    port = free_port()
    settings = server(
        url=f"http://127.0.0.1:{port}/mcp",
        headers={"Authorization": "Bearer fixed"},
        participantHeaders={"X-User": "{identity}", "X-Tenant": "{tenant}"},
    )
    program = await asyncio.create_subprocess_exec(
        sys.executable, ASKING_SERVER, str(port), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with kept(settings) as keeping:
            await keeping.until(lambda: keeping.connection.is_up)
            alice, bob = (
                Caller(identity, attributes={"tenant": "acme"}, vouched=True)
                for identity in ("alice", "bob")
            )
            told = [
                await keeping.toolbox.call("calc_headers", {}, caller) for caller in (alice, bob)
            ]
            assert "calc_grown" not in keeping.toolbox.names
            await keeping.toolbox.call("calc_grow", {}, alice)
            await keeping.until(lambda: "calc_grown" in keeping.toolbox.names)
    finally:
        program.kill()
        await program.wait()
    assert told == ["alice acme Bearer fixed", "bob acme Bearer fixed"]


async def test_tools_that_come_are_there_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "CHECK_INTERVAL", 600.0)
    settings = StdioServer.model_validate({"command": sys.executable, "args": [ASKING_SERVER]})
    async with kept(settings) as keeping:
        await keeping.until(lambda: keeping.connection.is_up)
        assert "calc_grown" not in keeping.toolbox.names
        await keeping.call("grow")
        await keeping.until(lambda: "calc_grown" in keeping.toolbox.names)
        assert await keeping.call("grown") == "here"


def needs_room(room: str) -> dict[str, str]:
    return {"X-Room": room}


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"docs": 1}, "App: mcp_headers['docs'] is a int, expected a function that returns"),
        ({"docs": needs_room}, "App: mcp_headers['docs'] needs room, expected caller or"),
    ],
)
def test_a_wrong_function_is_one_sentence(given: dict[str, object], problem: str) -> None:
    with pytest.raises(AppError) as caught:
        App(mcp_headers=given)  # pyright: ignore[reportArgumentType]
    assert str(caught.value).startswith(problem)


def test_headers_for_a_server_that_is_not_there_are_one_sentence() -> None:
    app = App(mcp_headers={"docs": fixed})
    for servers in ("{}", '{"docs": {"command": "serve"}}'):
        settings = Settings.from_environment({"MCP_SERVERS": servers})
        with pytest.raises(AppError, match="names 'docs', which has no URL in MCP_SERVERS"):
            mcp_servers(settings, app, Proxies(), lambda: None)
