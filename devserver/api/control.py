"""`/test/…`: the server's test API in Python, over HTTP for any language.

It is off by default. A caller proves by a token with the grant `roomCreate` that it has the API
secret, since every web page may send requests to this machine. That only keeps pages out if the
secret is private: the default one is known to everybody. docs/devserver.md has the table.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from aiohttp import web
from google.protobuf import json_format

from devserver.auth import PERMISSION_DENIED, token_of
from devserver.faults import Faults

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from devserver.data.packets import ForwardedPacket
    from devserver.rooms.register import RoomRegister

_MAX_DELAY_SECONDS = 60.0
_MAX_WAIT_SECONDS = 60.0
_MAX_PACKETS = 10_000
_FAULTS: Final = {
    "signalDelay": ("signal_delay", _MAX_DELAY_SECONDS),
    "dataDelay": ("data_delay", _MAX_DELAY_SECONDS),
    "dataLoss": ("data_loss", 1.0),
    "mediaLoss": ("media_loss", 1.0),
}
"""The attribute of `Faults` and the largest value, by field."""
_FILTERS = ("room", "sender", "receiver", "kind", "topic", "reliable")


class Restartable(Protocol):
    """The server, with the methods of a restart."""

    restarts: int

    async def restart(self, *, announced: bool = True) -> None:
        """Stop and serve again, with every room forgotten."""
        ...


class Control:
    """Answers ``/test/…`` of one server, from its start to its end."""

    def __init__(self, register: RoomRegister, server: Restartable) -> None:
        self._register = register
        self._context = register.context
        self._server = server
        self._restarting = False

    def routes(self) -> Iterable[web.RouteDef]:
        return (
            web.get("/test/faults", _authorized(self._get_faults)),
            web.patch("/test/faults", _authorized(self._change_faults)),
            web.get("/test/packets", _authorized(self._get_packets)),
            web.delete("/test/packets", _authorized(self._clear_packets)),
            web.post("/test/cut", _authorized(self._cut)),
            web.post("/test/reset", _authorized(self._reset)),
            web.get("/test/restarts", _authorized(self._get_restarts)),
            web.post("/test/restarts", _authorized(self._restart)),
        )

    async def close(self) -> None:
        """Nothing outlives a request: a restart is a task of the server's."""

    async def _get_faults(self, request: web.Request) -> web.Response:
        del request
        return self._faults()

    async def _change_faults(self, request: web.Request) -> web.Response:
        changes = await _body(request, *_FAULTS)
        for field, value in changes.items():
            most = _FAULTS[field][1]
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise web.HTTPBadRequest(text=f"{field} is no number")
            if not 0 <= value <= most:
                raise web.HTTPBadRequest(text=f"{field} is not between 0 and {most:g}")
        for field, value in changes.items():
            setattr(self._context.faults, _FAULTS[field][0], float(value))
        return self._faults()

    def _faults(self) -> web.Response:
        faults = self._context.faults
        return web.json_response({f: getattr(faults, name) for f, (name, _) in _FAULTS.items()})

    async def _get_packets(self, request: web.Request) -> web.Response:
        query = request.query
        for name in query:
            if name not in (*_FILTERS, "count", "wait", "limit", "access_token"):
                raise web.HTTPBadRequest(text=f"unknown parameter {name}")
        wanted = {name: query[name] for name in _FILTERS if name in query}
        if wanted.get("reliable", "true") not in ("true", "false"):
            raise web.HTTPBadRequest(text="reliable is neither true nor false")
        count = int(_number(query.get("count", "1"), "count", _MAX_PACKETS))
        limit = int(_number(query.get("limit", "1000"), "limit", _MAX_PACKETS))
        wait = _number(query.get("wait", "0"), "wait", _MAX_WAIT_SECONDS)
        packets = self._context.packets

        def found() -> list[ForwardedPacket]:
            return packets.matching(lambda packet: _is_like(packet, wanted))

        try:
            async with asyncio.timeout(wait):
                while len(found()) < count:
                    await packets.wait_for_next()
        except TimeoutError:
            pass  # the answer says how many there are
        matching = found()
        shown = matching[len(matching) - min(limit, len(matching)) :]
        return web.json_response({"total": len(matching), "packets": [_as_json(p) for p in shown]})

    async def _clear_packets(self, request: web.Request) -> web.Response:
        del request
        self._context.packets.clear()
        return web.Response(status=204)

    async def _cut(self, request: web.Request) -> web.Response:
        body = await _body(request, "room", "identity")
        room = self._register.rooms.get(str(body.get("room", "")))
        participant = room and room.participants.get(str(body.get("identity", "")))
        if participant is None:
            raise web.HTTPNotFound(text="participant does not exist")
        participant.cut()
        return web.Response(status=204)

    async def _reset(self, request: web.Request) -> web.Response:
        del request
        for name in list(self._register.rooms):
            self._register.delete(name)
        none = Faults()
        for name, _ in _FAULTS.values():
            setattr(self._context.faults, name, getattr(none, name))
        self._context.packets.clear()
        return web.Response(status=204)

    async def _get_restarts(self, request: web.Request) -> web.Response:
        del request
        return web.json_response({"restarts": self._server.restarts})

    async def _restart(self, request: web.Request) -> web.Response:
        """Answer with the number that `restarts` will have: the restart ends this connection."""
        announced = (await _body(request, "announced")).get("announced", True)
        if not isinstance(announced, bool):
            raise web.HTTPBadRequest(text="announced is neither true nor false")
        if self._restarting:
            raise web.HTTPConflict(text="a restart is under way")
        self._restarting = True
        self._context.tasks.start(self._server.restart(announced=announced), name="restart")
        return web.json_response({"restarts": self._server.restarts + 1}, status=202)


def _authorized(
    handler: Callable[[web.Request], Awaitable[web.Response]],
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        if not token_of(request).can_create():
            raise web.HTTPUnauthorized(text=PERMISSION_DENIED)
        return await handler(request)

    return answer


async def _body(request: web.Request, *fields: str) -> dict[str, Any]:
    """The JSON object of the request, which has no other fields; an empty body has none."""
    text = await request.read()
    try:
        body: object = json.loads(text or b"{}")
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="the body is no JSON object")
    for field in (known := cast("dict[str, Any]", body)):
        if field not in fields:
            raise web.HTTPBadRequest(text=f"unknown field {field}")
    return known


def _number(text: str, name: str, most: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= most:
        raise web.HTTPBadRequest(text=f"{name} is no number between 0 and {most:g}")
    return value


def _is_like(packet: ForwardedPacket, wanted: dict[str, str]) -> bool:
    return all(
        (str(value).lower() if isinstance(value, bool) else value) == wanted[name]
        for name in wanted
        for value in (getattr(packet, name),)
    )


def _as_json(packet: ForwardedPacket) -> dict[str, Any]:
    return {
        "room": packet.room,
        "sender": packet.sender,
        "receiver": packet.receiver,
        "reliable": packet.reliable,
        "kind": packet.kind,
        "topic": packet.topic,
        "destinations": list(packet.destinations),
        "size": packet.size,
        "packet": json_format.MessageToDict(packet.packet),
    }
