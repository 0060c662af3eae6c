"""ServerHeaders: the variable headers of requests to a server: tokens, and the caller."""

from __future__ import annotations

import asyncio
import base64
import inspect
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Final, cast
from urllib.parse import quote

import httpx2

from agent.app.header_makers import HeaderMaker
from agent.config.claim_template import ClaimTemplate
from agent.config.mcp_servers import ClientCredentials, HttpServer
from toolkit.caller import Caller
from toolkit.errors import NotAllowed

EARLY: Final = 30.0
"""Seconds before its end after which a token is not used any more."""

UNKNOWN_LIFE: Final = 300.0
"""Lifetime of a token whose expiry is not given, in seconds."""

LONGEST_LIFE: Final = 366 * 86_400.0
"""Longest lifetime of a token, in seconds; bounds absurd values."""

FUNCTION_TIMEOUT: Final = 10.0
"""Timeout of the app's function, in seconds."""

TOKEN_TIMEOUT: Final = 10.0
"""Seconds without a byte of the token endpoint's answer."""

MAX_TOKEN: Final = 16_384

Headers = Mapping[str, str]


class NoTokenError(Exception):
    """There is no token for a server; the text has no secrets."""


class Token:
    """A token by OAuth's client credentials (RFC 6749, section 4.4), shared by all sessions with a
    server.

    Attributes:
        lock: held while it is asked for.
        value: empty: there is none.
    """

    def __init__(self, settings: ClientCredentials) -> None:
        self.lock = asyncio.Lock()
        self.value = ""
        self._settings = settings
        self._until = 0.0

    def serves(self, refused: str) -> bool:
        """Whether it can be used; `refused` is one that the server does not take."""
        return bool(self.value) and self.value != refused and time.monotonic() < self._until

    def request(self) -> httpx2.Request:
        """The request for another one."""
        own = self._settings
        secret = own.client_secret.get_secret_value()
        pair = f"{quote(own.client_id, safe='')}:{quote(secret, safe='')}"
        form = {"grant_type": "client_credentials", "scope": own.scope, "audience": own.audience}
        return httpx2.Request(
            "POST",
            own.token_url,
            data={name: value for name, value in form.items() if value},
            headers={
                "Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}",
                "Accept": "application/json",
            },
            extensions={"timeout": httpx2.Timeout(TOKEN_TIMEOUT).as_dict()},
        )

    def take(self, response: httpx2.Response) -> None:
        """The endpoint's answer, which has been read. Raises NoTokenError."""
        self.value = ""
        if response.status_code != 200:
            raise NoTokenError(f"the token endpoint answered {response.status_code}")
        try:
            answer = cast("object", json.loads(response.content))
        except ValueError:
            answer = None
        found = cast("dict[str, object]", answer) if isinstance(answer, dict) else {}
        token, life = found.get("access_token"), found.get("expires_in")
        if not isinstance(token, str) or not token.isprintable() or not 0 < len(token) <= MAX_TOKEN:
            raise NoTokenError("the token endpoint gave no token")
        seconds = UNKNOWN_LIFE
        if isinstance(life, int | float) and life > 0:
            seconds = float(min(life, LONGEST_LIFE))
        self.value = token
        self._until = time.monotonic() + max(seconds - EARLY, seconds / 2)


class ServerHeaders:
    """Makes the authorization of sessions with one server.

    Args:
        make: the app's function, if it has one for this server.
    """

    def __init__(self, settings: HttpServer, make: HeaderMaker | None = None) -> None:
        self._make = make
        self._takes_caller = make is not None and "caller" in inspect.signature(make).parameters
        self._token = Token(settings.oauth) if settings.oauth is not None else None
        self._templates = {
            name: ClaimTemplate(text) for name, text in settings.participant_headers.items()
        }

    @property
    def differ(self) -> bool:
        """Whether callers have headers of their own."""
        return self._takes_caller or bool(self._templates)

    def of(self, caller: Caller | None, *, is_call: bool) -> httpx2.Auth:
        """The authorization of a session.

        Args:
            is_call: it is for a call by this caller, and not for the list of tools.

        Raises:
            NotAllowed: a header needs an attribute of the caller that the server does not vouch
                for.
        """
        own = self._filled(caller) if is_call else dict[str, str]()
        return _Auth(self._token, own, lambda: self._made(caller))

    def _filled(self, caller: Caller | None) -> Headers:
        claims: dict[str, object] = {}
        if caller is not None:
            claims = {**(caller.attributes if caller.vouched else {}), "identity": caller.identity}
        headers = {name: template.text_for(claims) for name, template in self._templates.items()}
        if not all(headers.values()):
            raise NotAllowed("This caller's token lacks attributes that the MCP server needs")
        if not all(value.isascii() for value in headers.values()):
            raise NotAllowed("The MCP server accepts this caller's attributes only in ASCII")
        return headers

    async def _made(self, caller: Caller | None) -> Headers:
        if self._make is None:
            return {}
        made = self._make(caller=caller) if self._takes_caller else self._make()
        if isinstance(made, Mapping):
            return made
        async with asyncio.timeout(FUNCTION_TIMEOUT):
            return await made


class _Auth(httpx2.Auth):
    def __init__(
        self, token: Token | None, own: Headers, made: Callable[[], Awaitable[Headers]]
    ) -> None:
        self._token = token
        self._own = own
        self._made = made

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        request.headers.update(self._own)
        request.headers.update(await self._made())
        token, refused = self._token, ""
        if token is None:
            yield request
            return
        for _ in range(2):
            async with token.lock:
                if not token.serves(refused):
                    response = yield token.request()
                    await response.aread()
                    token.take(response)
            refused = token.value
            request.headers["Authorization"] = f"Bearer {refused}"
            response = yield request
            if response.status_code != 401:
                return
