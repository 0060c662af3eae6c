"""The request with which a client joins: read, and checked against its token."""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web
from google.protobuf.message import DecodeError
from livekit.protocol import room as room_proto
from livekit.protocol import rtc

from devserver.auth import NO_ROOM_PERMISSION, PERMISSION_DENIED, VerifiedToken, token_of
from devserver.rooms.permission import is_dependent, kind_from_claim, permission_from_grants

if TYPE_CHECKING:
    from devserver.limits import Limits

_GZIP_WINDOW_BITS = 31


@dataclass(frozen=True, slots=True)
class Join:
    """A request to join that may be granted."""

    token: VerifiedToken
    request: rtc.JoinRequest
    room: room_proto.CreateRoomRequest
    """The room, as the token configures it."""

    @property
    def is_dependent(self) -> bool:
        """Whether the client would only serve others."""
        return is_dependent(
            kind_from_claim(self.token.claims.kind), permission_from_grants(self.token.video)
        )


def read_join(request: web.Request, limits: Limits, *, needs_request: bool = True) -> Join:
    """Return what ``request`` asks for; only signalling v1 needs a JoinRequest in it.

    Raises HTTPException with livekit-server's status and text (pkg/service/rtcservice.go,
    validateInternal; pkg/service/utils.go, ValidateConnectRequest).
    """
    token = token_of(request)
    if not token.has_video:
        raise web.HTTPUnauthorized(text=NO_ROOM_PERMISSION)
    encoded = request.query.get("join_request", "")
    if not encoded and needs_request:
        raise web.HTTPBadRequest(text="join_request is required")
    join = _read_request(encoded, limits) if encoded else rtc.JoinRequest()
    if not token.can_join():
        raise web.HTTPUnauthorized(text=PERMISSION_DENIED)
    if not token.identity:
        raise web.HTTPBadRequest(text="identity cannot be empty")
    if len(token.identity) > limits.participant_identity_length:
        raise web.HTTPBadRequest(
            text="participant identity length exceeds limits: "
            f"max length {limits.participant_identity_length}"
        )
    if not token.video.room:
        raise web.HTTPBadRequest(text="no room name")
    if len(token.video.room) > limits.room_name_length:
        raise web.HTTPBadRequest(
            text=f"room name length exceeds limits: max length {limits.room_name_length}"
        )
    if (join.metadata or join.participant_attributes) and not token.video.can_update_own_metadata:
        raise web.HTTPUnauthorized(text=NO_ROOM_PERMISSION)
    return Join(token, join, _room_request(token))


def _read_request(encoded: str, limits: Limits) -> rtc.JoinRequest:
    try:
        wrapped = base64.b64decode(
            encoded.encode() + b"=" * (-len(encoded) % 4), altchars=b"-_", validate=True
        )
    except (binascii.Error, ValueError):
        raise web.HTTPBadRequest(text="cannot base64 decode wrapped join request") from None
    try:
        wrapper = rtc.WrappedJoinRequest.FromString(wrapped)
    except DecodeError:
        raise web.HTTPBadRequest(text="cannot unmarshal wrapped join request") from None
    body = wrapper.join_request
    if wrapper.compression == rtc.WrappedJoinRequest.GZIP:
        body = _decompress(body, limits)
    if len(body) > limits.join_request_size:
        raise web.HTTPBadRequest(text="join request too large")
    try:
        return rtc.JoinRequest.FromString(body)
    except DecodeError:
        raise web.HTTPBadRequest(text="cannot unmarshal join request") from None


def _decompress(body: bytes, limits: Limits) -> bytes:
    decompressor = zlib.decompressobj(_GZIP_WINDOW_BITS)
    try:
        plain = decompressor.decompress(body, limits.join_request_size + 1)
    except zlib.error:
        raise web.HTTPBadRequest(text="cannot read decompressed join request") from None
    if not decompressor.eof and len(plain) <= limits.join_request_size:
        raise web.HTTPBadRequest(text="cannot read decompressed join request")
    return plain


def _room_request(token: VerifiedToken) -> room_proto.CreateRoomRequest:
    request = room_proto.CreateRoomRequest(name=token.video.room)
    config = token.claims.room_config
    if config is not None:
        request.empty_timeout = config.empty_timeout
        request.departure_timeout = config.departure_timeout
        request.max_participants = config.max_participants
        request.metadata = config.metadata
        request.agents.extend(config.agents)
    return request
