"""The room server: rooms, and the HTTP server that clients, workers and backends talk to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Self

from aiohttp import web
from livekit.protocol import models

from devserver import sid
from devserver.api.control import Control
from devserver.auth import Authenticator
from devserver.clean_paths import unclean_path
from devserver.data.packets import PacketRecord
from devserver.faults import Faults
from devserver.half_open import HalfOpenConnections
from devserver.limits import Limits
from devserver.media import aiortc_private
from devserver.rooms.register import RoomRegister
from devserver.rooms.room_context import RoomContext
from devserver.services import Service, services
from devserver.signalling.cors import cors
from devserver.signalling.signalling import Signalling
from devserver.signalling.whip import Whip
from devserver.tasks import TaskSet
from devserver.timing import DELAYS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from livekit.protocol import room as room_proto

    from devserver.rooms.listeners import RoomListener
    from devserver.rooms.room import Room
    from devserver.timing import Timing

_HEADER_BYTES = 1_048_576
"""Limit of a request's line or one of its headers, as in Go's server: a token may carry 64 KiB of
attributes and as much metadata."""
_SHUTDOWN_SECONDS = 2.0
_KEEPALIVE_SECONDS = 75.0
"""Seconds that a connection without a request stays open after one."""
_LOOPBACK_OF = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  names what is bound elsewhere
"""The local address of a server that is bound to all addresses."""

VERSION = "1.13.5"
"""The version of livekit-server whose behaviour this server has, and which it reports to
clients."""


class RoomServer:
    """An embedded LiveKit room server, for development and tests.

    ::

        async with RoomServer() as server:
            await room.connect(server.url, token)

    It serves on the event loop that starts it. ``port=0`` takes a free port. A room that nobody
    joined stays ``empty_timeout`` seconds, and one that everybody left ``departure_timeout``,
    unless its creator says otherwise. ``timing`` says how soon clients and the server API learn of
    participants and counts: as late as from livekit-server, or at once. With ``test_api`` tests in
    other languages reach the record of packets, the faults and the restart at ``/test/…``.
    """

    def __init__(  # noqa: PLR0913  each is a setting of its own, by keyword
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        api_key: str = "devkey",
        api_secret: str = "secret" * 6,
        limits: Limits | None = None,
        empty_timeout: int = 300,
        departure_timeout: int = 20,
        webhook_urls: Sequence[str] = (),
        timing: Timing = "livekit",
        test_api: bool = False,
    ) -> None:
        self.host = host
        self.port = port
        self.api_key = api_key
        self.api_secret = api_secret
        self.webhook_urls = tuple(webhook_urls)
        aiortc_private.configure()
        self.auth: Final = Authenticator(api_key, api_secret)
        self.limits: Final = limits or Limits()
        self.info: Final = models.ServerInfo(
            edition=models.ServerInfo.Standard,
            version=VERSION,
            protocol=17,
            agent_protocol=1,
            node_id=sid.new_sid(sid.NODE),
        )
        """The server's description for clients and workers."""
        self.packets: Final = PacketRecord()
        """The data packets that were forwarded."""
        self.faults: Final = Faults()
        """The faults that clients suffer, on demand."""
        self.tasks: Final = TaskSet()
        """The server's background tasks: cancelled when it stops."""
        self.restarts = 0
        """Number of restarts."""
        self._test_api = test_api
        self._register = RoomRegister(
            RoomContext(
                auth=self.auth,
                info=self.info,
                limits=self.limits,
                faults=self.faults,
                packets=self.packets,
                tasks=self.tasks,
                delays=DELAYS[timing],
                empty_timeout=empty_timeout,
                departure_timeout=departure_timeout,
            )
        )
        self.rooms: Final = self._register.rooms
        """The rooms that exist, by name."""
        self.listeners: Final[list[RoomListener]] = self._register.listeners
        """Listeners to the life of rooms; they get events in this order."""
        self._services: list[Service] = []
        self._own_listeners: list[RoomListener] = []
        self._runner: web.AppRunner | None = None
        self._stopping = asyncio.Lock()
        """Held while the server stops, and by a restart until it serves again."""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """The address for clients and workers on this machine: ``ws://…``."""
        return f"ws://{self._authority}"

    @property
    def http_url(self) -> str:
        """The address for the server API: ``http://…``."""
        return f"http://{self._authority}"

    @property
    def _authority(self) -> str:
        host = _LOOPBACK_OF.get(self.host, self.host)
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    async def start(self) -> None:
        """Serve. Raises OSError if the port is taken."""
        half_open = HalfOpenConnections(self.limits.request_timeout)
        app = web.Application(
            middlewares=[
                half_open.first_requests,
                cors,
                self.auth.middleware,
                half_open.bodies,
            ],
            client_max_size=self.limits.request_body_size,
        )
        routes: list[web.RouteDef] = [
            web.route("*", "/", _health),
            *Signalling(self._register).routes(),
            *Whip(self._register).routes(),
        ]
        before = len(self.listeners)
        self._services = [half_open, *services(self._register, self.webhook_urls)]
        self._own_listeners = self.listeners[before:]
        if self._test_api:
            self._services.append(Control(self._register, self))
        for service in self._services:
            routes.extend(service.routes())
        app.add_routes(routes)
        app.add_routes([web.route(r.method, f"/{r.path}", r.handler) for r in routes])
        app.add_routes([web.route("*", "/{path:.*}", _not_found)])
        self._runner = web.AppRunner(
            app,
            access_log=None,
            shutdown_timeout=_SHUTDOWN_SECONDS,
            max_line_size=_HEADER_BYTES,
            max_field_size=_HEADER_BYTES,
            keepalive_timeout=_KEEPALIVE_SECONDS,
            auto_decompress=False,  # as in Go, bodies are not decompressed
        )
        await self._runner.setup()
        if self._runner.server is not None:
            half_open.start(self._runner.server, self.tasks)
        try:
            await web.TCPSite(self._runner, self.host, self.port).start()
        except OSError:
            await self._stop()
            raise
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Disconnect everyone, close every connection and end every task.

        A restart that is under way ends first.
        """
        async with self._stopping:
            await self._stop()

    async def _stop(self, *, announced: bool = True) -> None:
        # First: a worker is not told that the jobs of its rooms end.
        for service in self._services:
            await service.close()
        self._services = []
        for room in list(self.rooms.values()):
            if announced:
                room.close(models.DisconnectReason.SERVER_SHUTDOWN)
            else:
                room.abandon()
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()
        await self.tasks.close(grace=_SHUTDOWN_SECONDS)
        for listener in self._own_listeners:
            self.listeners.remove(listener)
        self._own_listeners = []

    async def restart(self, *, announced: bool = True) -> None:
        """Stop and serve again on the same port, with every room forgotten; listeners stay.

        Clients are sent away, as by a server that is stopped, and stay away. If the restart is not
        ``announced``, their connections break as when a server crashes, and they come back.
        """
        async with self._stopping:
            await self._stop(announced=announced)
            await self.start()
            self.restarts += 1

    def get_or_create_room(self, request: room_proto.CreateRoomRequest) -> tuple[Room, bool]:
        """Return the room that ``request`` names, and whether it had to be made.

        An existing room does not change, whatever the request says, as in livekit-server. Raises
        RoomLimitError.
        """
        return self._register.get_or_create(request)

    def delete_room(self, name: str) -> bool:
        """Disconnect everyone in the room and end it; False if there is no such room."""
        return self._register.delete(name)


async def _not_found(request: web.Request) -> web.Response:
    """Answer a path without a route; an unclean path is redirected."""
    moved = unclean_path(request)
    if moved is not None:
        return moved
    headers = {"X-Content-Type-Options": "nosniff"}
    return web.Response(status=404, text="404 page not found\n", headers=headers)


async def _health(request: web.Request) -> web.Response:
    del request
    return web.Response(text="OK")
