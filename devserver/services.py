"""The parts that a server has besides signalling: each has routes, a start and an end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from devserver.agents.agents import AgentWorkers
from devserver.agents.dispatch import Dispatcher
from devserver.api.dispatch_service import AgentDispatchService
from devserver.api.redis_services import RedisServices
from devserver.api.room_service import RoomService
from devserver.api.twirp import Twirp
from devserver.api.webhooks import Webhooks

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aiohttp import web

    from devserver.server import RoomServer


class Service(Protocol):
    """A part of the server. It may add a RoomListener to ``server.listeners`` when it is made."""

    def routes(self) -> Iterable[web.RouteDef]:
        """The HTTP and WebSocket routes it answers."""
        ...

    async def close(self) -> None:
        """Ends what it began: called once, when the server stops, before the rooms are closed."""
        ...


def services(server: RoomServer) -> Sequence[Service]:
    """Return the parts of ``server``, in the order in which they hear of events."""
    webhooks = Webhooks(server)
    workers = AgentWorkers(server)
    dispatcher = Dispatcher(server, workers)
    twirp = Twirp(
        {
            "RoomService": RoomService(server).methods(),
            "AgentDispatchService": AgentDispatchService(server, dispatcher).methods(),
            **RedisServices(server).methods(),
        }
    )
    return (webhooks, dispatcher, workers, twirp)
