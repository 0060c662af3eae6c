"""Access tokens: read and checked as livekit-server does it (pkg/service/auth.go), and issued."""

from __future__ import annotations

import datetime
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import jwt
from aiohttp import web
from livekit import api
from livekit.api.access_token import Claims

from devserver.claims import ClaimError, check_registered, read_claims, without_half_pairs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from jwt.types import Options

_BEARER = "Bearer "
_LEEWAY_SECONDS = 60
_ALGORITHMS = ["HS256"]
_KNOWN_ALGORITHMS: Final = (
    *(f"{family}{bits}" for family in ("HS", "RS", "ES", "PS") for bits in (256, 384, 512)),
    *("EdDSA", "none"),
)
"""The algorithms of golang-jwt, which cannot parse a token of any other."""
_UNVERIFIED_CLAIMS: Final[Options] = {
    "verify_aud": False,
    "verify_iat": False,
    "verify_iss": False,
    "verify_jti": False,
    "verify_sub": False,
}
"""Checks that PyJWT does by default and golang-jwt does not."""
_REFRESHED_TTL = datetime.timedelta(minutes=10)

PERMISSION_DENIED = "permissions denied"
"""Text of a refusal because a grant is missing (pkg/service/auth.go, ErrPermissionDenied)."""
NO_ROOM_PERMISSION = "no permissions to access the room"
"""The same if all room grants are missing (pkg/rtc/errors.go, ErrPermissionDenied)."""


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """The grants that a caller proved with a token; empty without a token."""

    claims: Claims
    video: api.VideoGrants
    """The token's grants for rooms; a token without them grants nothing."""
    expires_at: float | None = None
    """Seconds since 1970."""
    has_video: bool = True
    """Whether the token has grants for rooms at all."""

    @property
    def identity(self) -> str:
        """The participant the token speaks for; empty for a service."""
        return self.claims.identity

    def can_join(self) -> bool:
        """Whether the token lets its holder join a room."""
        return bool(self.video.room_join)

    def can_create(self) -> bool:
        """Whether the token lets its holder create and delete rooms."""
        return bool(self.video.room_create)

    def can_list(self) -> bool:
        """Whether the token lets its holder list rooms."""
        return bool(self.video.room_list)

    def can_administer(self, room: str) -> bool:
        """Whether the token makes its holder an administrator of ``room``."""
        return bool(self.video.room_admin) and self.video.room == room

    def can_register_agent(self) -> bool:
        """Whether the token lets its holder register as an agent worker."""
        return bool(self.video.agent)


_ANONYMOUS = VerifiedToken(
    claims=Claims(),
    video=api.VideoGrants(can_publish=False, can_subscribe=False, can_publish_data=False),
    has_video=False,
)
_TOKEN: web.RequestKey[VerifiedToken] = web.RequestKey("token", VerifiedToken)


def token_of(request: web.Request) -> VerifiedToken:
    """Return the verified token of ``request``; one without any grant if it carries none."""
    return request.get(_TOKEN, _ANONYMOUS)


class Authenticator:
    """Verifies the tokens of one API key, and issues tokens with it."""

    def __init__(self, api_key: str, api_secret: str) -> None:
        self._api_key = api_key
        self._api_secret = api_secret

    @property
    def api_key(self) -> str:
        """The key that names the secret: the issuer of every token."""
        return self._api_key

    def verify(self, token: str) -> VerifiedToken:
        """Return what ``token`` proves.

        Raises HTTPUnauthorized with the text of livekit-server if the token is malformed, of
        another key, forged, or not valid now.
        """
        try:
            unverified = jwt.decode(token, options={"verify_signature": False})
            check_registered(unverified)
            if jwt.get_unverified_header(token).get("alg") not in _KNOWN_ALGORITHMS:
                raise jwt.InvalidAlgorithmError
        except (jwt.InvalidTokenError, ClaimError):
            raise web.HTTPUnauthorized(text="invalid authorization token") from None
        issuer = without_half_pairs(unverified.get("iss") or "")
        if issuer != self._api_key:
            raise web.HTTPUnauthorized(text=f"invalid API key: {issuer}")
        try:
            payload: dict[str, Any] = jwt.decode(
                token,
                key=self._api_secret,
                algorithms=_ALGORITHMS,
                leeway=_LEEWAY_SECONDS,
                options=_UNVERIFIED_CLAIMS,
            )
            return _read(payload)
        except (jwt.InvalidTokenError, ClaimError) as error:
            raise web.HTTPUnauthorized(
                text=f"invalid token: {token}, error: {_reason(token, error)}"
            ) from None

    def issue(self, identity: str, claims: Claims, ttl: datetime.timedelta) -> str:
        """Return a token for ``identity`` with ``claims``, valid from now for ``ttl``.

        Unlike livekit.api's AccessToken it may have no identity, as that of an agent which named
        none.
        """
        now = int(time.time())
        payload: dict[str, Any] = {
            **claims.asdict(),
            "sub": identity,
            "iss": self._api_key,
            "nbf": now,
            "exp": now + int(ttl.total_seconds()),
        }
        return jwt.encode(payload, self._api_secret, algorithm=_ALGORITHMS[0])

    def refresh(self, identity: str, claims: Claims, expires_at: float | None) -> str:
        """Return a token that replaces a participant's first one.

        It is valid for ten minutes or until the first one ends, whichever is later
        (pkg/service/roommanager.go, refreshToken).
        """
        left = datetime.timedelta(seconds=max(0.0, (expires_at or 0.0) - time.time()))
        return self.issue(identity, claims, max(left, _REFRESHED_TTL))

    @property
    def middleware(self) -> Callable[..., Awaitable[web.StreamResponse]]:
        """The aiohttp middleware that checks a request's token before any handler sees it.

        As in livekit-server a request without a token passes, with no grants: its handler decides.
        A bad token is refused whatever the path.
        """

        @web.middleware
        async def authenticate(
            request: web.Request,
            handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
        ) -> web.StreamResponse:
            token = _token_text(request)
            if token:
                request[_TOKEN] = self.verify(token)
            return await handler(request)

        return authenticate


def _token_text(request: web.Request) -> str:
    header = request.headers.get("Authorization", "")
    if header and not header.startswith(_BEARER):
        raise web.HTTPUnauthorized(text=f"invalid authorization header. Must start with {_BEARER}")
    return header.removeprefix(_BEARER) or request.query.get("access_token", "")


def _read(payload: dict[str, Any]) -> VerifiedToken:
    claims = read_claims(payload)
    video = claims.video
    if video is None:
        return VerifiedToken(claims, _ANONYMOUS.video, payload.get("exp"), has_video=False)
    return VerifiedToken(claims, video, payload.get("exp"))


def _reason(token: str, error: Exception) -> str:
    """Return the text of golang-jwt for PyJWT's error."""
    match error:
        case ClaimError():
            return f"token is malformed: could not JSON decode claim: {error}"
        case jwt.ExpiredSignatureError():
            return "token has invalid claims: token is expired"
        case jwt.ImmatureSignatureError():
            return "token has invalid claims: token is not valid yet"
        case jwt.InvalidSignatureError():
            return "token signature is invalid: signature is invalid"
        case jwt.InvalidAlgorithmError():
            algorithm = jwt.get_unverified_header(token)["alg"]
            return f"token signature is invalid: signing method {algorithm} is invalid"
        case _:
            return "token is malformed"
