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

    from devserver.rooms.register import RoomRegister


class Service(Protocol):
    """A part of the server. Its constructor may add itself to ``RoomRegister.listeners``."""

    def routes(self) -> Iterable[web.RouteDef]:
        """The HTTP and WebSocket routes it answers."""
        ...

    async def close(self) -> None:
        """Stops its work: called once, when the server stops, before the rooms are closed."""
        ...


def services(register: RoomRegister, webhook_urls: Sequence[str]) -> Sequence[Service]:
    """Return the services of a server, in the order in which they receive events."""
    webhooks = Webhooks(register, webhook_urls)
    workers = AgentWorkers(register.context)
    dispatcher = Dispatcher(register, workers)
    twirp = Twirp(
        {
            "RoomService": RoomService(register).methods(),
            "AgentDispatchService": AgentDispatchService(register, dispatcher).methods(),
            **RedisServices(register).methods(),
        }
    )
    return (webhooks, dispatcher, workers, twirp)
