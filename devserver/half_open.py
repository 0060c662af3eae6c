"""Connections that begin a request and never end it: they are closed, so that none piles up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from aiohttp.web_protocol import RequestHandler

    from devserver.tasks import TaskSet

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class HalfOpenConnections:
    """Gives a connection ``within`` seconds for its first request, and each request for its body.

    aiohttp waits for both without an end.
    """

    def __init__(self, within: float) -> None:
        self._within = within
        self._served: set[RequestHandler] = set()
        """Connections that have sent a complete request, except for its body."""
        self._watch: asyncio.Task[None] | None = None

    def routes(self) -> Iterable[web.RouteDef]:
        """None: it watches the connections of the other services."""
        return ()

    def start(self, server: web.Server, tasks: TaskSet) -> None:
        """Watch the connections of ``server`` until ``close``."""
        self._watch = tasks.start(self._close_silent(server), name="half-open connections")

    async def close(self) -> None:
        # Not kept: its error leads to the loop's frames, and those to all that was scheduled then.
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()

    @property
    def first_requests(self) -> Callable[..., Awaitable[web.StreamResponse]]:
        """The middleware, first of all, that sees which connections made a request."""

        @web.middleware
        async def first_requests(request: web.Request, handler: Handler) -> web.StreamResponse:
            self._served.add(request.protocol)
            return await handler(request)

        return first_requests

    @property
    def bodies(self) -> Callable[..., Awaitable[web.StreamResponse]]:
        """The middleware, last of all, that reads a request's body, or answers 408."""

        @web.middleware
        async def bodies(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.can_read_body:
                try:
                    async with asyncio.timeout(self._within):
                        await request.read()  # kept for the handler
                except TimeoutError:
                    return web.Response(status=408, headers={"Connection": "close"})
            return await handler(request)

        return bodies

    async def _close_silent(self, server: web.Server) -> None:
        silent: set[RequestHandler] = set()
        while True:
            await asyncio.sleep(self._within)
            connections = set(server.connections)
            self._served &= connections
            for connection in silent & connections - self._served:
                connection.force_close()
            silent = connections - self._served
