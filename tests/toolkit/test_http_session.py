"""The tools' HTTP session and proxies."""

from __future__ import annotations

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.forward_proxy import forward_proxy
from toolkit.http_session import open_session


async def _hello(request: web.Request) -> web.Response:
    if request.path == "/away":
        raise web.HTTPFound(f"http://127.0.0.1:{request.query_string}/")
    return web.Response(text=request.host.partition(":")[0])


@pytest.fixture
def app() -> web.Application:
    application = web.Application()
    application.router.add_get("/{path:.*}", _hello)
    return application


async def test_each_request_takes_the_proxy_of_its_url(app: web.Application) -> None:
    async with forward_proxy() as proxy, TestServer(app) as server:
        url = proxy.url.replace("//", "//me:pa55@")
        port = server.make_url("").port

        def proxy_for(asked: str) -> str | None:
            return url if "proxied.test" in asked else None

        async with open_session(proxy_for) as session:
            async with session.get(f"http://proxied.test:{server.port}/") as response:
                assert await response.text() == "proxied.test"
            async with session.get(f"http://127.0.0.1:{server.port}/") as response:
                assert response.status == 200
            away = f"http://proxied.test:{server.port}/away?{server.port}"
            async with session.get(away) as response:
                assert await response.text() == "127.0.0.1"
    # The second request to it went over the same connection.
    assert proxy.asked_for == [("GET", f"proxied.test:{port}")]
    assert proxy.authorized == [aiohttp.encode_basic_auth("me", "pa55")]


async def test_a_tunnel_is_authorized_and_credentials_do_not_reach_its_far_end() -> None:
    async with forward_proxy() as proxy:
        url = proxy.url.replace("//", "//me:pa55@")
        async with open_session(lambda _: url) as session:
            with pytest.raises(aiohttp.ClientError):
                await session.get("https://proxied.test:9/")
    assert set(proxy.asked_for) == {("CONNECT", "proxied.test:9")}
    assert set(proxy.authorized) == {aiohttp.encode_basic_auth("me", "pa55")}


async def test_a_proxy_of_another_kind_is_an_error_of_the_request() -> None:
    async with open_session(lambda _: "socks5://127.0.0.1:9") as session:
        with pytest.raises(aiohttp.ClientConnectionError, match="socks5 proxies"):
            await session.get("http://proxied.test/")
