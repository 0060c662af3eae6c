"""The server of the page: whom it gives a token, and the policy of what it serves."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import aiohttp
import jwt
import pytest
from yarl import URL

from agent.cli.page_build import PageBuild
from agent.cli.page_server import PageServer, content_security_policy, serving_page
from agent.cli.target import Target

SECRET = "a secret of thirty-two characters or more"  # noqa: S105 - signs nothing else
QUERY = {"room": "R", "identity": "I"}


@pytest.fixture
def build(tmp_path: Path) -> PageBuild:
    build = PageBuild({}, tmp_path)
    files = tmp_path / "dist"
    (files / "assets").mkdir(parents=True)
    (files / "index.html").write_text("<!doctype html>the page")
    (files / "assets" / "a-1.js").write_text("1")
    (tmp_path / "secret").write_text("secret")
    build.files = files
    return build


@pytest.fixture
async def server(build: PageBuild) -> AsyncGenerator[PageServer]:
    target = Target("ws://127.0.0.1:7880", "key", SECRET, "helper", "agent", "llm-response")
    async with serving_page(build, target) as server:
        yield server


@pytest.fixture
async def http(server: PageServer) -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(server.url) as session:
        yield session


async def test_a_token_joins_the_room_and_brings_the_agent(http: aiohttp.ClientSession) -> None:
    query = QUERY | {"name": "Ida", "role": "moderator"}
    async with http.get("/token", params=query) as response:
        assert response.headers["Cache-Control"] == "no-store"
        answer = await response.json()
    token = answer.pop("participant_token")
    assert answer == {
        "server_url": "ws://127.0.0.1:7880",
        "agent_identity": "agent",
        "reply_topic": "llm-response",
    }
    claims = jwt.decode(token, SECRET, algorithms=["HS256"])
    assert (claims["sub"], claims["name"]) == ("I", "Ida")
    assert claims["video"] == {"roomJoin": True, "room": "R"} | {
        key: claims["video"][key] for key in claims["video"] if key.startswith("can")
    }
    assert claims["attributes"] == {"role": "moderator"}
    assert claims["roomConfig"]["agents"][0]["agentName"] == "helper"


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ({"room": "R"}, "identity"),
        ({"identity": "I"}, "room"),
        (QUERY | {"identity": "x" * 129}, "identity"),
        (QUERY | {"identity": "agent"}, "reserved for the agent"),
        (QUERY | {"role": "admin"}, "role"),
        (QUERY | {"grants": "all"}, "grants"),
    ],
)
async def test_a_token_that_makes_no_sense_is_refused(
    http: aiohttp.ClientSession, query: dict[str, str], problem: str
) -> None:
    async with http.get("/token", params=query) as response:
        assert response.status == 400
        assert problem in await response.text()


@pytest.mark.parametrize("path", ["/token", "/"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:{port}"},
        {"Host": "127.0.0.1"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "null"},
    ],
    ids=str,
)
async def test_other_names_and_other_sites_are_refused(
    http: aiohttp.ClientSession, server: PageServer, path: str, headers: dict[str, str]
) -> None:
    port = server.url.rpartition(":")[2]
    sent = {name: value.format(port=port) for name, value in headers.items()}
    async with http.get(path, params=QUERY, headers=sent) as response:
        assert response.status == 403
        assert "Access-Control-Allow-Origin" not in response.headers


async def test_scripts_of_other_sites_get_no_token(http: aiohttp.ClientSession) -> None:
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 200)):
        async with http.get("/token", params=QUERY, headers={"Sec-Fetch-Site": site}) as response:
            assert response.status == status
    async with http.get("/", headers={"Sec-Fetch-Site": "cross-site"}) as response:
        assert response.status == 200  # A link to the page.


async def test_the_page_is_served_under_a_strict_policy(http: aiohttp.ClientSession) -> None:
    for path, status in (("/", 200), ("/assets/a-1.js", 200), ("/nothing", 404), ("/token", 400)):
        async with http.get(path) as response:
            assert response.status == status
            policy = response.headers["Content-Security-Policy"]
            assert policy == content_security_policy("ws://127.0.0.1:7880")
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Referrer-Policy"] == "no-referrer"
    assert "unsafe" not in policy
    directives = {each.split()[0]: each.partition(" ")[2] for each in policy.split("; ")}
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == directives["style-src"] == "'self'"
    assert directives["img-src"] == "'self' blob:"
    assert directives["connect-src"] == "'self' ws://127.0.0.1:7880 http://127.0.0.1:7880"


def test_livekit_cloud_may_name_a_nearer_region() -> None:
    policy = content_security_policy("wss://me.livekit.cloud")
    connect = next(each for each in policy.split("; ") if each.startswith("connect-src"))
    assert connect == (
        "connect-src 'self' wss://me.livekit.cloud https://me.livekit.cloud "
        "wss://*.livekit.cloud https://*.livekit.cloud"
    )


@pytest.mark.parametrize("path", ["/../secret", "/..%2fsecret", "/assets/..%2f..%2fsecret"])
async def test_nothing_beside_the_page_is_served(server: PageServer, path: str) -> None:
    async with aiohttp.ClientSession() as http:
        url = URL(server.url + path, encoded=True)
        async with http.get(url) as response:
            assert response.status == 404


async def test_the_next_port_is_taken_where_one_is_in_use(build: PageBuild) -> None:
    target = Target("ws://127.0.0.1:7880", "key", SECRET, "", "agent", "llm-response")
    async with serving_page(build, target) as first, serving_page(build, target) as second:
        assert first.url != second.url


async def test_the_page_says_what_is_done_and_what_is_missing(
    http: aiohttp.ClientSession, build: PageBuild
) -> None:
    build.files = None
    build.progress = "Being built & more"
    async with http.get("/") as response:
        text = await response.text()
        assert response.status == 200
        assert "Being built &amp; more" in text
        assert 'http-equiv="refresh"' in text
    build.problem = "no <npm>"
    async with http.get("/") as response:
        text = await response.text()
        assert response.status == 503
        assert "no &lt;npm&gt;" in text
        assert "refresh" not in text
