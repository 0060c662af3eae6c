"""Signalling: the WebSocket through which a client joins and stays in a room."""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import TYPE_CHECKING

from aiohttp import WSMsgType, web
from google.protobuf import json_format
from google.protobuf.message import DecodeError
from livekit.protocol import models, rtc

from devserver.limits import RoomLimitError
from devserver.rooms.participant import Participant
from devserver.rooms.resumption import resume
from devserver.signalling import signal_requests
from devserver.signalling.join import Join, read_join
from devserver.signalling.signal_connection import SignalConnection

if TYPE_CHECKING:
    from collections.abc import Iterable

    from devserver.rooms.register import RoomRegister
    from devserver.rooms.room import Room

log = logging.getLogger("devserver.signal")

_V1 = "/rtc/v1"
_PING_INTERVAL_SECONDS = 5
_PING_TIMEOUT_SECONDS = 15
_REQUESTS_AT_ONCE = 20
_REFUSED_BY_ROOM = "connection closed by media"
_LIMIT_EXCEEDED = "node has exceeded its configured limit"
_TOKEN_REFRESH_SECONDS = 300.0


class Signalling:
    """Answers ``/rtc/v1`` and ``/rtc``: signalling v1 and v0 (pkg/service/rtcservice.go)."""

    def __init__(self, register: RoomRegister) -> None:
        self._register = register
        self._context = register.context
        self._connections = 0
        self._sif_trailer = secrets.token_bytes(16)
        """Marks frames that the server itself would inject; part of the JoinResponse."""

    def routes(self) -> Iterable[web.RouteDef]:
        """The routes of both versions."""
        return (
            web.route("*", "/rtc", self._connect),
            web.route("*", "/rtc/validate", self._validate),
            web.route("*", _V1, self._connect),
            web.route("*", f"{_V1}/validate", self._validate),
        )

    async def _validate(self, request: web.Request) -> web.Response:
        self._read_join(request, strict=True)
        return web.Response(text="success")

    def _read_join(self, request: web.Request, *, strict: bool) -> Join:
        needs_request = _V1 in request.path
        limits = self._context.limits
        return read_join(request, limits, needs_request=needs_request, strict=strict)

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        if request.method != "GET" or not web.WebSocketResponse().can_prepare(request).ok:
            return web.Response(status=404)
        join = self._read_join(request, strict=False)
        if join.exceeds(self._context.limits):
            raise web.HTTPInternalServerError(text=_REFUSED_BY_ROOM)
        room = self._room_for(join)
        websocket = web.WebSocketResponse(
            max_msg_size=self._context.limits.signal_message_size, compress=False
        )
        self._connections += 1
        try:
            await websocket.prepare(request)
            signal = SignalConnection(self._context, websocket, request.transport)
            try:
                await self._serve(websocket, signal, room, join)
            finally:
                signal.close()
                await signal.wait_closed()
        finally:
            self._connections -= 1
        return websocket

    def _room_for(self, join: Join) -> Room:
        if self._connections >= self._context.limits.connections:
            raise web.HTTPServiceUnavailable(text=_LIMIT_EXCEEDED)
        try:
            room, _ = self._register.get_or_create(join.room)
        except RoomLimitError:
            raise web.HTTPServiceUnavailable(text=_LIMIT_EXCEEDED) from None
        if room.is_full and not join.is_dependent and join.token.identity not in room.participants:
            raise web.HTTPInternalServerError(text="room has exceeded its max participants")
        return room

    async def _serve(
        self,
        websocket: web.WebSocketResponse,
        signal: SignalConnection,
        room: Room,
        join: Join,
    ) -> None:
        if room.closed:
            return
        if join.request.reconnect:
            participant = _to_resume(room, join)
            if participant is None:
                _send_away(signal, join)
                return
            resume(participant, signal)
        else:
            participant = self._admit(signal, room, join)
        timer = asyncio.get_running_loop().call_later(
            self._context.limits.join_timeout, participant.join_timed_out
        )
        refresher = self._context.tasks.start(_refresh_token(participant), name="token refresh")
        try:
            if not join.request.reconnect:
                for request in join.request.add_track_requests:
                    signal_requests.add_track(participant, request)
                if join.request.HasField("publisher_offer"):
                    await signal_requests.offer(participant, join.request.publisher_offer)
            await _read(websocket, signal, participant)
        finally:
            timer.cancel()
            refresher.cancel()
            participant.signal_closed()

    def _admit(self, signal: SignalConnection, room: Room, join: Join) -> Participant:
        """Admit the client; end an earlier session of its identity.

        This is one step of the event loop, so that the client misses no update after its
        JoinResponse.
        """
        former = room.participants.get(join.token.identity)
        if former is not None:
            former.remove(models.DisconnectReason.DUPLICATE_IDENTITY)
        participant = Participant(
            room, join.token, join.request, signal, two_connections=join.two_connections
        )
        signal.send(rtc.SignalResponse(join=self._join_response(room, participant)))
        room.admit(participant)
        participant.info.state = models.ParticipantInfo.JOINED
        room.announce(participant, to_itself=False)
        participant.send_token()
        participant.connection.start()
        return participant

    def _join_response(self, room: Room, participant: Participant) -> rtc.JoinResponse:
        server_info = self._context.info
        return rtc.JoinResponse(
            room=room.info,
            participant=participant.info,
            other_participants=[
                other.info for other in room.participants.values() if not other.permission.hidden
            ],
            server_version=server_info.version,
            server_info=server_info,
            subscriber_primary=participant.connection.subscriber_primary,
            fast_publish=participant.permission.can_publish,
            ping_interval=_PING_INTERVAL_SECONDS,
            ping_timeout=_PING_TIMEOUT_SECONDS,
            client_configuration=participant.client.configuration,
            enabled_publish_codecs=[
                models.Codec(mime=mime) for mime in participant.client.publish_codecs
            ],
            sif_trailer=self._sif_trailer,
        )


async def _read(
    websocket: web.WebSocketResponse, signal: SignalConnection, participant: Participant
) -> None:
    """Handle the client's requests until it leaves; an unparsable one ends the connection.

    Requests that have arrived already are read without a pause. After some of them the others get
    their turn.
    """
    number = 0
    async for message in websocket:
        number += 1
        if number % _REQUESTS_AT_ONCE == 0:
            await asyncio.sleep(0)
        try:
            if message.type == WSMsgType.BINARY:
                signal.as_json = False
                request = rtc.SignalRequest.FromString(message.data)
            elif message.type == WSMsgType.TEXT:
                signal.as_json = True
                request = json_format.Parse(
                    message.data, rtc.SignalRequest(), ignore_unknown_fields=True
                )
            else:
                return
        except (DecodeError, json_format.ParseError):
            log.warning("%s sent a signal that cannot be parsed", participant.identity)
            return
        await signal_requests.handle(participant, request)
        if participant.closed:
            return


def _to_resume(room: Room, join: Join) -> Participant | None:
    """Return the session that the client may resume, if its media connection is up.

    As in livekit-server the identity finds it, whatever sid the client states.
    """
    participant = room.participants.get(join.token.identity)
    if participant is None or not participant.is_active:
        return None
    return participant if participant.connection.is_reachable else None


def _send_away(signal: SignalConnection, join: Join) -> None:
    """Make a client that wants to resume join again instead."""
    leave = join.client.leave(models.DisconnectReason.STATE_MISMATCH, rtc.LeaveRequest.RECONNECT)
    signal.send(rtc.SignalResponse(leave=leave))


async def _refresh_token(participant: Participant) -> None:
    while True:
        await asyncio.sleep(_TOKEN_REFRESH_SECONDS)
        participant.send_token()
