"""TokenEndpoint: HTTP in LiveKit's standard form, for `TokenSource.endpoint` of the SDKs.

https://docs.livekit.io/frontends/build/authentication/endpoint/
"""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import limits
from aiohttp import HttpVersion11, web
from limits.strategies import FixedWindowRateLimiter

from agent.access.app_identity import AppIdentity, NotIdentifiedError
from agent.access.join_token import Joining, join_token
from agent.access.signing_keys import KeysUnavailableError
from agent.access.token_request import TokenRequest
from agent.access.token_rules import ClaimRules, NotAllowedError, of_anybody
from agent.config.access_settings import AccessSettings, is_loopback
from agent.limits.window_storage import WindowStorage

MAX_BODY: Final = 32 * 1024
BODY_TIMEOUT: Final = 10.0
"""Seconds in which the body has to come."""
PREFLIGHT_SECONDS: Final = 600
PATH: Final = "/token"
_PROXY_HEADERS: Final = ("forwarded", "via", "x-real-ip")
_PROXY_PREFIX: Final = "x-forwarded-"


@dataclass(frozen=True, slots=True)
class RoomServer:
    """The server that tokens are for, and the agent in its rooms."""

    url: str
    api_key: str
    api_secret: str
    agent_name: str
    agent_identity: str


class TokenEndpoint:
    """Answers `POST /token`. Without an AppIdentity everybody gets the token that they ask for. The
    endpoint must then listen on loopback; it answers only requests to loopback, and none that came
    through a proxy."""

    def __init__(
        self, settings: AccessSettings, server: RoomServer, identity: AppIdentity | None
    ) -> None:
        self._settings = settings
        self._server = server
        self._identity = identity
        self._rules = ClaimRules(settings, server.agent_name, server.agent_identity)
        self._limiter = FixedWindowRateLimiter(WindowStorage())
        rate = settings.access_rate
        self._rate = None if rate == "0" else limits.parse(rate)

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._guard], client_max_size=MAX_BODY)
        app.router.add_post(PATH, self._token)
        app.router.add_options(PATH, self._preflight)
        app.router.add_get("/healthz", self._health)
        return app

    @web.middleware
    async def _guard(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        try:
            if self._identity is None:
                _check_local(request)
            if origin is not None and not self._is_allowed(origin):
                raise web.HTTPForbidden(text="This origin is not in ACCESS_ORIGINS.\n")
            response = await handler(request)
        except web.HTTPException as error:
            self._add_headers(error, origin)
            raise
        self._add_headers(response, origin)
        return response

    def _is_allowed(self, origin: str) -> bool:
        if origin in self._settings.access_origins:
            return True
        return self._identity is None and is_loopback(urlsplit(origin).hostname or "")

    def _add_headers(self, response: web.StreamResponse, origin: str | None) -> None:
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Vary"] = "Origin"
        if origin is not None and self._is_allowed(origin):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = "Retry-After"

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _preflight(self, request: web.Request) -> web.Response:
        # A header that is not on the list of Fetch's is the app's own, which may be any.
        wanted = request.headers.get("Access-Control-Request-Headers", "content-type")
        return web.Response(
            status=204,
            headers={
                "Access-Control-Allow-Methods": "POST",
                "Access-Control-Allow-Headers": wanted,
                "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
            },
        )

    async def _token(self, request: web.Request) -> web.Response:
        try:
            joining = await self._joining(request)
        except ValueError as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from None
        except NotAllowedError as error:
            raise web.HTTPForbidden(text=f"{error}\n") from None
        except NotIdentifiedError as error:
            headers = {"WWW-Authenticate": "Bearer"}
            raise web.HTTPUnauthorized(text=f"{error}\n", headers=headers) from None
        except KeysUnavailableError:
            raise web.HTTPServiceUnavailable(
                text="The identity provider's keys are unavailable.\n",
                headers={"Retry-After": "30"},
            ) from None
        ttl = datetime.timedelta(seconds=self._settings.access_ttl)
        token = join_token(self._server.api_key, self._server.api_secret, joining, ttl)
        answer = {"server_url": self._server.url, "participant_token": token}
        return web.json_response(answer, status=201)

    async def _joining(self, request: web.Request) -> Joining:
        if self._identity is None:
            asked = await _read(request)
            server = self._server
            joining = of_anybody(
                asked,
                server.agent_name,
                server.agent_identity,
                may_update=self._settings.access_update_own_metadata,
            )
            self._take(joining.identity)
            return joining
        claims = await self._identity.claims(request.headers.get("Authorization", ""))
        self._take(self._rules.identity(claims))
        return self._rules.joining(claims, await _read(request))

    def _take(self, identity: str) -> None:
        """Counts a request; raises an HTTP error if there are too many."""
        if self._rate is None or self._limiter.hit(self._rate, identity):
            return
        ends = self._limiter.get_window_stats(self._rate, identity).reset_time
        seconds = max(math.ceil(ends - time.monotonic()), 1)
        raise web.HTTPTooManyRequests(
            text="Too many tokens for you; see Retry-After.\n",
            headers={"Retry-After": str(seconds)},
        )


async def _read(request: web.Request) -> TokenRequest:
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            body = await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout(text="The request body did not arrive.\n") from None
    return TokenRequest.read(body)


def _check_local(request: web.BaseRequest) -> None:
    """Refuses what does not come from a program of this machine, as far as a request shows that."""
    if not _is_address(request.headers.get("Host", "")):
        # A name that leads here is another site's (DNS rebinding), or a public proxy's.
        raise web.HTTPForbidden(
            text="Without an identity provider, only this machine gets tokens.\n"
        )
    # nginx names the address it passes to as Host, and speaks HTTP/1.0 by default.
    if request.version < HttpVersion11 or any(map(_is_of_proxy, request.headers)):
        raise web.HTTPForbidden(
            text="Without an identity provider, a proxy gets no tokens. Set ACCESS_JWKS_URL, "
            "ACCESS_ISSUER, ACCESS_AUDIENCE and ACCESS_ROOMS.\n"
        )


def _is_of_proxy(header: str) -> bool:
    name = header.lower()
    return name in _PROXY_HEADERS or name.startswith(_PROXY_PREFIX)


def _is_address(host: str) -> bool:
    """Whether a Host header names loopback, or any address: an Android emulator has one of its own
    for it."""
    name = urlsplit(f"//{host}").hostname or ""
    if is_loopback(name):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
