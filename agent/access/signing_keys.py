"""SigningKeys: the public keys of an identity provider, fetched from its JWKS URL."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from typing import Any, Final, cast

import aiohttp
import jwt

logger = logging.getLogger(__name__)

FRESH: Final = 600.0
"""Seconds after which keys are fetched again: a withdrawn key may be accepted for that long."""
STALE: Final = 3600.0
"""Seconds that keys count where the provider cannot be reached."""
BETWEEN_FETCHES: Final = 30.0
"""Seconds between two fetches, whatever is asked for: an unknown key in each request must not
become a request to the provider."""
TIMEOUT: Final = 5.0
MAX_BYTES: Final = 256 * 1024
MAX_KEYS: Final = 100

_FAMILIES: Final = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}


class KeysUnavailableError(Exception):
    """The provider's keys are unavailable now."""


class SigningKeys:
    """The keys of one provider. They are fetched when they are first needed, then when they are
    old or a token names one that is not among them, by one request at a time.

    Args:
        proxy: the proxy for the URL, if there is one.
        now: seconds of a clock that never goes back.
    """

    def __init__(
        self,
        url: str,
        http: aiohttp.ClientSession,
        proxy: str | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._http = http
        self._proxy = proxy
        self._now = now
        self._keys: tuple[dict[str, Any], ...] = ()
        self._fetched: float | None = None
        self._tried: float | None = None
        self._lock = asyncio.Lock()
        self._failing = False

    async def key(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        """The key that a token names, or the only one that fits where it names none.

        Raises:
            KeysUnavailableError: there are no keys, or they are too old.
        """
        if self._age() > FRESH or self._find(key_id, algorithm) is None:
            async with self._lock:
                # Another request may have fetched them meanwhile.
                if self._age() > FRESH or self._find(key_id, algorithm) is None:
                    await self._fetch()
        if self._age() > STALE:
            raise KeysUnavailableError
        return self._find(key_id, algorithm)

    def _age(self) -> float:
        return float("inf") if self._fetched is None else self._now() - self._fetched

    def _find(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        fitting = [
            each
            for each in self._keys
            if each.get("kty") == _FAMILIES[algorithm[:2]]
            and each.get("alg", algorithm) == algorithm
            and each.get("use", "sig") == "sig"
            and (key_id is None or each.get("kid") == key_id)
        ]
        if len(fitting) != 1:
            return None
        try:
            return jwt.PyJWK(fitting[0], algorithm)
        except jwt.PyJWTError:
            return None

    async def _fetch(self) -> None:
        if self._tried is not None and self._now() - self._tried < BETWEEN_FETCHES:
            return
        self._tried = self._now()
        try:
            self._keys = _keys_in(await self._document())
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            if not self._failing:
                logger.warning(
                    "fetching the keys at ACCESS_JWKS_URL failed (%s): retrying in %d s; "
                    "known keys count for %d minutes",
                    str(error) or type(error).__name__,
                    BETWEEN_FETCHES,
                    STALE / 60,
                )
            self._failing = True
            return
        self._fetched = self._now()
        if self._failing:
            logger.warning("the keys at ACCESS_JWKS_URL are available again")
        self._failing = False

    async def _document(self) -> object:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT)
        async with self._http.get(
            self._url, timeout=timeout, allow_redirects=False, proxy=self._proxy
        ) as response:
            if response.status != 200:
                raise ValueError(f"HTTP {response.status}")
            body = bytearray()
            async for piece in response.content.iter_any():
                body += piece
                if len(body) > MAX_BYTES:
                    raise ValueError(f"more than {MAX_BYTES} bytes")
        return json.loads(body)


def _keys_in(document: object) -> tuple[dict[str, Any], ...]:
    keys = cast("dict[str, object]", document).get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list) or not keys:
        raise ValueError("expected a JSON object with `keys`")
    listed = cast("list[object]", keys)[:MAX_KEYS]
    return tuple(cast("dict[str, Any]", each) for each in listed if isinstance(each, dict))
