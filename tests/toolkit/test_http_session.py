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
        raise web.HTTPFound(f"http://direct.localhost:{request.url.port}/")
    return web.Response(text=request.host.partition(":")[0])


@pytest.fixture
def app() -> web.Application:
    application = web.Application()
    application.router.add_get("/{path:.*}", _hello)
    return application


async def test_each_request_takes_the_proxy_of_its_url(app: web.Application) -> None:
    async with forward_proxy() as proxy, TestServer(app) as server:
        url = proxy.url.replace("//", "//me:pa55@")

        def proxy_for(asked: str) -> str | None:
            return url if "proxied.test" in asked else None

        async with open_session(proxy_for) as session:
            async with session.get(f"http://proxied.test:{server.port}/") as response:
                assert await response.text() == "proxied.test"
            async with session.get(f"http://127.0.0.1:{server.port}/") as response:
                assert response.status == 200
            async with session.get(f"http://proxied.test:{server.port}/away") as response:
                assert await response.text() == "direct.localhost"
    assert proxy.asked_for == [("GET", f"proxied.test:{server.port}")] * 2
    assert proxy.authorized == [aiohttp.encode_basic_auth("me", "pa55")] * 2


async def test_a_tunnel_is_authorized_and_its_far_end_is_not_told() -> None:
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
