"""The request with which a client joins: read, and checked against its token."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web
from google.protobuf.message import DecodeError
from livekit.protocol import room as room_proto
from livekit.protocol import rtc

from devserver.auth import NO_ROOM_PERMISSION, PERMISSION_DENIED, VerifiedToken, token_of
from devserver.rooms.client import Client
from devserver.rooms.permission import is_dependent, kind_from_claim, permission_from_grants
from devserver.signalling.join_query import AttributesError, join_request

if TYPE_CHECKING:
    from devserver.limits import Limits

_GZIP_WINDOW_BITS = 31


@dataclass(frozen=True, slots=True)
class Join:
    """A request to join that may be granted."""

    token: VerifiedToken
    request: rtc.JoinRequest
    """The client's request, with the metadata and the attributes of its token."""
    room: room_proto.CreateRoomRequest
    """The room, as the token configures it."""
    two_connections: bool
    """Whether the client has a peer connection for each direction."""

    @property
    def client(self) -> Client:
        """The client's description of itself."""
        return Client(self.request.client_info)

    def exceeds(self, limits: Limits) -> bool:
        """Whether metadata or attributes are larger than the server accepts."""
        attributes = self.request.participant_attributes
        size = sum(len(k.encode()) + len(v.encode()) for k, v in attributes.items())
        metadata_size = len(self.request.metadata.encode())
        return metadata_size > limits.metadata_size or size > limits.attributes_size

    @property
    def is_dependent(self) -> bool:
        """Whether the client would only serve others."""
        return is_dependent(
            kind_from_claim(self.token.claims.kind), permission_from_grants(self.token.video)
        )


def read_join(request: web.Request, limits: Limits, *, needs_request: bool, strict: bool) -> Join:
    """Return the join request in ``request``.

    Signalling v1 needs a JoinRequest in it. Without one, the query parameters of signalling v0 have
    the same fields, and the client has two peer connections. Only with ``strict`` does it matter
    whether their attributes can be read.

    Raises HTTPException with livekit-server's status and text (pkg/service/rtcservice.go,
    validateInternal; pkg/service/utils.go, ValidateConnectRequest).
    """
    token = token_of(request)
    if not token.has_video:
        raise web.HTTPUnauthorized(text=NO_ROOM_PERMISSION)
    encoded = request.query.get("join_request", "")
    if not encoded and needs_request:
        raise web.HTTPBadRequest(text="join_request is required")
    join = _read_request(encoded, limits) if encoded else _read_query(request, strict=strict)
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
    publish = "" if encoded else request.query.get("publish", "")
    if publish:
        token = _publishing(token, publish)
    if (join.metadata or join.participant_attributes) and not token.video.can_update_own_metadata:
        raise web.HTTPUnauthorized(text=NO_ROOM_PERMISSION)
    _add_claims(join, token)
    return Join(token, join, room_request(token), two_connections=not encoded)


def _add_claims(join: rtc.JoinRequest, token: VerifiedToken) -> None:
    """Add the token's metadata and attributes; the client's own take precedence, unless empty."""
    join.metadata = join.metadata or token.claims.metadata
    own = {key: value for key, value in join.participant_attributes.items() if value}
    join.participant_attributes.clear()
    join.participant_attributes.update({**(token.claims.attributes or {}), **own})


def _read_query(request: web.Request, *, strict: bool) -> rtc.JoinRequest:
    try:
        return join_request(request.query, strict=strict)
    except AttributesError:
        raise web.HTTPBadRequest(text="cannot decode attributes") from None


def _publishing(token: VerifiedToken, publish: str) -> VerifiedToken:
    """Return the token of a second session of the same person, which only publishes."""
    if not token.video.can_publish:
        raise web.HTTPUnauthorized(text=NO_ROOM_PERMISSION)
    claims = dataclasses.replace(token.claims, identity=f"{token.identity}#{publish}")
    video = dataclasses.replace(token.video, can_subscribe=False)
    return dataclasses.replace(token, claims=claims, video=video)


def _read_request(encoded: str, limits: Limits) -> rtc.JoinRequest:
    try:
        wrapped = base64.b64decode(encoded.encode(), altchars=b"-_", validate=True)
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


def room_request(token: VerifiedToken) -> room_proto.CreateRoomRequest:
    """Return the room of ``token``, as it configures it."""
    request = room_proto.CreateRoomRequest(name=token.video.room)
    config = token.claims.room_config
    if config is not None:
        request.empty_timeout = config.empty_timeout
        request.departure_timeout = config.departure_timeout
        request.max_participants = config.max_participants
        request.metadata = config.metadata
        request.agents.extend(config.agents)
    return request
