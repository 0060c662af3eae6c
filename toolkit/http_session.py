"""The HTTP session that tools share."""

from collections.abc import Callable

import aiohttp
from yarl import URL

ProxyFor = Callable[[str], str | None]


def open_session(proxy_for: ProxyFor | None) -> aiohttp.ClientSession:
    """A session whose requests, redirected ones too, go through the proxy of their URL, if any."""
    if proxy_for is None:
        return aiohttp.ClientSession()

    async def choose(
        request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        proxy = proxy_for(str(request.url)) if request.proxy is None else None
        if proxy is not None:
            _send_through(URL(proxy), request)
        return await send(request)

    return aiohttp.ClientSession(middlewares=(choose,))


def _send_through(proxy: URL, request: aiohttp.ClientRequest) -> None:
    if proxy.scheme not in {"http", "https"}:
        raise aiohttp.ClientConnectionError(f"{proxy.scheme} proxies are not supported")
    headers: dict[str, str] = {}
    if proxy.user:
        credentials = aiohttp.encode_basic_auth(proxy.user, proxy.password or "")
        headers["Proxy-Authorization"] = credentials
    if request.is_ssl():
        # Only for the proxy, which opens a tunnel.
        request.update_proxy(proxy.with_user(None), None, headers)
    else:
        request.update_proxy(proxy.with_user(None), None, None)
        request.headers.update(headers)
