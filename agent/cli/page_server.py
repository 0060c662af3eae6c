"""PageServer: the page of `dev` on loopback, and tokens for it.

A token opens any room. So only pages of this address get one:
other sites, which a browser on this machine may have open, are refused by what their requests say
of themselves (Host, Origin, Sec-Fetch-Site).
"""

from __future__ import annotations

import contextlib
import html
import socket
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from aiohttp import web

from agent.cli.command import CommandError
from agent.cli.page_token import page_token

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from agent.cli.page_build import PageBuild
    from agent.cli.target import Target

LOOPBACK: Final = "127.0.0.1"
PORTS: Final = (8080, *range(8082, 8100), 0)
"""Without 8081, which is a worker's health port unless HTTP_PORT is set."""
"""Ports to try before any free one."""

NAMES: Final = (LOOPBACK, "localhost")

_WAITING: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
{refresh}
<title>livekit-room-agent</title>
<link rel="stylesheet" href="/waiting.css">
<main><h1>{heading}</h1><pre>{text}</pre></main>
</html>
"""
_WAITING_CSS: Final = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 44rem; margin: 20vh auto 0; padding: 0 1.5rem; }
h1 { font-size: 1.4rem; }
pre { font: inherit; white-space: pre-wrap; overflow-wrap: anywhere; opacity: 0.8; }
"""


class PageServer:
    """Serves a page and its tokens; `url` is where."""

    def __init__(self, build: PageBuild, target: Target, port: int) -> None:
        self._build = build
        self._target = target
        self._port = port
        self._policy = content_security_policy(target.url)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._port}"

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._only_own])
        app.router.add_get("/token", self._token)
        app.router.add_get("/waiting.css", self._waiting_css)
        app.router.add_get("/{name:.*}", self._file)
        app.on_response_prepare.append(self._add_headers)
        return app

    @web.middleware
    async def _only_own(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        hosts = {f"{name}:{self._port}" for name in NAMES}
        if request.headers.get("Host") not in hosts:
            raise web.HTTPForbidden(text="This page is only for this machine.\n")
        origin = request.headers.get("Origin")
        if origin is not None and origin not in {f"http://{host}" for host in hosts}:
            raise web.HTTPForbidden(text="This page answers only at its own address.\n")
        return await handler(request)

    async def _token(self, request: web.Request) -> web.Response:
        # A link from another site to the page is fine; its scripts have no business here.
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
            raise web.HTTPForbidden(text="Only the page itself may ask for a token.\n")
        try:
            answer = page_token(self._target, request.query)
        except ValueError as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from None
        return web.json_response(answer, headers={"Cache-Control": "no-store"})

    async def _file(self, request: web.Request) -> web.StreamResponse:
        files = self._build.files
        if files is None:
            return self._waiting()
        name = request.match_info["name"] or "index.html"
        path = (files / name).resolve()
        if not path.is_relative_to(files) or not path.is_file():
            raise web.HTTPNotFound
        # The names of assets have a hash of their content.
        is_asset = path.parent.name == "assets"
        caching = "public, max-age=31536000, immutable" if is_asset else "no-cache"
        return web.FileResponse(path, headers={"Cache-Control": caching})

    def _waiting(self) -> web.Response:
        problem = self._build.problem
        text = _WAITING.format(
            refresh="" if problem else '<meta http-equiv="refresh" content="1">',
            heading="There is no page" if problem else "One moment",
            text=html.escape(problem or self._build.progress),
        )
        status = 503 if problem else 200
        return web.Response(
            text=text,
            content_type="text/html",
            status=status,
            headers={"Cache-Control": "no-store"},
        )

    async def _waiting_css(self, _: web.Request) -> web.Response:
        return web.Response(text=_WAITING_CSS, content_type="text/css")

    async def _add_headers(self, _: web.Request, response: web.StreamResponse) -> None:
        response.headers["Content-Security-Policy"] = self._policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        response.headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(self)"


def content_security_policy(room_server: str) -> str:
    """The page's Content-Security-Policy: its own files, and the room server at a ws:// or wss://
    URL.

    No inline script or style, and no image from elsewhere: what people and models write cannot
    make a browser call anybody. Two people side by side are frames of this address.
    """
    address = urlsplit(room_server)
    hosts = [address.netloc]
    if (address.hostname or "").endswith(".livekit.cloud"):
        hosts.append("*.livekit.cloud")  # the nearest of its regions
    schemes = ("wss", "https") if address.scheme == "wss" else ("ws", "http")
    connect = " ".join(f"{scheme}://{host}" for host in hosts for scheme in schemes)
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' blob:",
            "media-src 'self' blob:",
            "font-src 'self'",
            "worker-src 'self' blob:",
            f"connect-src 'self' {connect}",
            "frame-src 'self'",
            "frame-ancestors 'self'",
            "form-action 'self'",
            "base-uri 'none'",
        )
    )


@contextlib.asynccontextmanager
async def serving_page(build: PageBuild, target: Target) -> AsyncGenerator[PageServer]:
    """Serves the page at port 8080 of loopback, or at the next that is free.

    Raises:
        CommandError: no port can be listened on.
    """
    listening = _listening()
    page = PageServer(build, target, listening.getsockname()[1])
    runner = web.AppRunner(page.app(), access_log=None, shutdown_timeout=1.0)
    try:
        await runner.setup()
        await web.SockSite(runner, listening).start()
        yield page
    finally:
        await runner.cleanup()
        listening.close()


def _listening() -> socket.socket:
    problem: OSError | None = None
    for port in PORTS:
        try:
            return socket.create_server((LOOPBACK, port))
        except OSError as error:
            problem = error
    raise CommandError(f"no port of {LOOPBACK} is free to listen on: {problem}")
