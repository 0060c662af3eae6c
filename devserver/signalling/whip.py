"""WHIP (RFC 9725): publishers without a signal connection, such as OBS, join by one request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aiohttp import web
from livekit.protocol import models, rtc

from devserver.auth import NO_ROOM_PERMISSION, PERMISSION_DENIED, token_of
from devserver.limits import RoomLimitError
from devserver.rooms.participant import Participant
from devserver.signalling import signal_requests
from devserver.signalling.join import room_request
from devserver.signalling.join_query import join_request
from devserver.signalling.whip_session import (
    FragmentError,
    MalformedOfferError,
    WhipSession,
    announced_tracks,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from devserver.auth import VerifiedToken
    from devserver.rooms.register import RoomRegister
    from devserver.rooms.room import Room

_PATH = "/whip/v1"
_SDP = "application/sdp"
_FRAGMENT = "application/trickle-ice-sdpfrag"
_MAX_BODY = 1 << 20
_CROSS_ORIGIN = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Allow-Methods": "PATCH, OPTIONS, GET, POST, DELETE",
    "Access-Control-Expose-Headers": "*",
}
_PROTOCOL = 17


class Whip:
    """Answers ``/whip/v1`` as livekit-server does (pkg/service/whipservice.go).

    A session ends with its media connection, or by DELETE. ICE restarts, and the header with which
    a client subscribes to tracks, are not supported.
    """

    def __init__(self, register: RoomRegister) -> None:
        self._register = register
        self._context = register.context
        self._sessions: dict[str, WhipSession] = {}
        """By the participant's sid."""

    def routes(self) -> Iterable[web.RouteDef]:
        session = f"{_PATH}/{{participant_id}}"
        return (
            web.get(_PATH, _nothing),
            web.options(_PATH, _options),
            web.post(_PATH, self._create),
            web.get(session, _nothing),
            web.patch(session, self._patch),
            web.delete(session, self._delete),
        )

    async def _create(self, request: web.Request) -> web.Response:
        content_type = request.headers.get("Content-Type", "")
        if content_type != _SDP:
            return _error(400, f"unsupported content-type: {content_type}")
        try:
            session = await self._join(request)
        except web.HTTPException as error:
            return _error(error.status, error.text or "", _SDP)
        if session.answer is None:
            return _error(503, "cannot answer the offer", _SDP)
        headers = {
            "Content-Type": _SDP,
            "Location": f"{_PATH}/{session.participant.sid}",
            "ETag": session.ice_session,
        }
        return web.Response(status=201, body=session.answer.encode(), headers=headers)

    async def _join(self, request: web.Request) -> WhipSession:
        """Let the client in, and answer its offer. Raises HTTPException."""
        token = token_of(request)
        self._check(token)
        offer = await _body(request, "body does not have SDP offer")
        try:
            tracks = announced_tracks(offer)
        except MalformedOfferError as error:
            raise web.HTTPBadRequest(text=f"malformed SDP offer: {error}") from None
        room = self._room_for(token)
        join = rtc.JoinRequest(
            client_info=join_request(request.query, strict=False).client_info,
            connection_settings=rtc.ConnectionSettings(auto_subscribe=True),
            metadata=token.claims.metadata,
            participant_attributes=token.claims.attributes or {},
        )
        join.client_info.protocol = join.client_info.protocol or _PROTOCOL
        session = WhipSession(self._forget)
        session.participant = participant = Participant(room, token, join, session)
        former = room.participants.get(token.identity)
        if former is not None:
            former.remove(models.DisconnectReason.DUPLICATE_IDENTITY)
        room.admit(participant)
        participant.info.state = models.ParticipantInfo.JOINED
        room.announce(participant, to_itself=False)
        self._sessions[participant.sid] = session
        session.wait_for_media(self._context.limits.join_timeout)
        for track in tracks:
            signal_requests.add_track(participant, track)
        await participant.connection.answer(rtc.SessionDescription(type="offer", sdp=offer))
        return session

    def _forget(self, session: WhipSession) -> None:
        self._sessions.pop(session.participant.sid, None)

    def _check(self, token: VerifiedToken) -> None:
        limits = self._context.limits
        _check_room(token)
        if len(token.video.room) > limits.room_name_length:
            raise web.HTTPBadRequest(
                text=f"room name length exceeds limits: max length {limits.room_name_length}"
            )
        if not token.identity:
            raise web.HTTPBadRequest(text="identity cannot be empty")
        if len(token.identity) > limits.participant_identity_length:
            raise web.HTTPBadRequest(
                text="participant identity length exceeds limits: "
                f"max length {limits.participant_identity_length}"
            )

    def _room_for(self, token: VerifiedToken) -> Room:
        if len(self._sessions) >= self._context.limits.connections:
            raise web.HTTPServiceUnavailable(text="node has exceeded its limits")
        try:
            room, _ = self._register.get_or_create(room_request(token))
        except RoomLimitError:
            raise web.HTTPServiceUnavailable(text="node has exceeded its limits") from None
        if room.is_full and token.identity not in room.participants:
            raise web.HTTPServiceUnavailable(text="room has exceeded its max participants")
        return room

    async def _patch(self, request: web.Request) -> web.Response:
        content_type = request.headers.get("Content-Type", "")
        if content_type != _FRAGMENT:
            return _error(400, f"unsupported content-type: {content_type}")
        try:
            await self._trickle(request)
        except web.HTTPException as error:
            return _error(error.status, error.text or "", _FRAGMENT)
        return web.Response(status=204)

    async def _trickle(self, request: web.Request) -> None:
        expected = request.headers.get("If-Match", "")
        if not expected:
            raise web.HTTPPreconditionRequired(text="missing entity tag")
        token = token_of(request)
        session = self._session_of(request, token, web.HTTPInternalServerError)
        fragment = await _body(request, "")
        if session is None:
            raise web.HTTPNotFound(text="participant does not exist")
        if expected == "*":
            raise web.HTTPInternalServerError(text="ICE restart is not supported")
        if expected != session.ice_session:
            raise web.HTTPInternalServerError(
                text=f"ice session mismatch, expected: {session.ice_session}, got: {expected}"
            )
        try:
            candidates = session.candidates(fragment)
        except FragmentError as error:
            raise web.HTTPBadRequest(text=str(error)) from None
        for candidate in candidates:
            await session.participant.connection.add_candidate(
                candidate, rtc.SignalTarget.PUBLISHER
            )

    async def _delete(self, request: web.Request) -> web.Response:
        try:
            session = self._session_of(request, token_of(request), web.HTTPNotFound)
        except web.HTTPException as error:
            return _error(error.status, error.text or "")
        if session is not None:
            session.participant.remove(models.DisconnectReason.CLIENT_INITIATED)
        return web.Response()

    def _session_of(
        self, request: web.Request, token: VerifiedToken, absent: type[web.HTTPException]
    ) -> WhipSession | None:
        """Return the session that the path names; None if its participant has another by now.

        Raises HTTPException, ``absent`` if the token's participant has no session at all.
        """
        _check_room(token)
        if not token.identity:
            raise web.HTTPUnauthorized(text="participant identity cannot be empty")
        room = self._register.rooms.get(token.video.room or "")
        participant = room and room.participants.get(token.identity)
        if participant is None or participant.sid not in self._sessions:
            raise absent(text="no response from servers")
        named = request.match_info["participant_id"] == participant.sid
        return self._sessions[participant.sid] if named else None


def _check_room(token: VerifiedToken) -> None:
    """Raise HTTPUnauthorized unless the token lets its holder join some room."""
    if not token.has_video:
        raise web.HTTPUnauthorized(text=NO_ROOM_PERMISSION)
    if not token.video.room_join:
        raise web.HTTPUnauthorized(text=PERMISSION_DENIED)
    if not token.video.room:
        raise web.HTTPUnauthorized(text="room name cannot be empty")


async def _body(request: web.Request, empty: str) -> str:
    """Return the body as a text. Raises HTTPException, with the text ``empty`` if there is none."""
    body = await request.read()
    if len(body) > _MAX_BODY:
        raise web.HTTPRequestEntityTooLarge(
            _MAX_BODY, text=f"request body exceeds {_MAX_BODY} bytes"
        )
    if not body and empty:
        raise web.HTTPBadRequest(text=empty)
    return body.decode(errors="replace")


async def _nothing(request: web.Request) -> web.Response:
    del request
    return web.Response(status=204)


async def _options(request: web.Request) -> web.Response:
    del request
    return web.Response(headers=_CROSS_ORIGIN)


def _error(status: int, text: str, content_type: str = "text/plain; charset=utf-8") -> web.Response:
    body = json.dumps({"error": text}, separators=(",", ":")) + "\n"
    headers = {"Content-Type": content_type}
    return web.Response(status=status, body=body.encode(), headers=headers)
