"""AppIdentity: identifies the caller by a token of the app's own identity provider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import jwt

from agent.access.signing_keys import SigningKeys

LEEWAY: Final = 30.0
"""Seconds that the clocks of provider and endpoint may differ."""
MAX_TOKEN: Final = 7000
"""Characters of a token; aiohttp reads headers of up to 8,190."""


class NotIdentifiedError(Exception):
    """The provider does not vouch for the caller; the message is for the caller."""


class AppIdentity:
    """Checks a JWT: signature by one of the provider's keys, `iss`, `aud`, `exp`, `nbf`."""

    def __init__(
        self,
        keys: SigningKeys,
        *,
        issuer: str,
        audience: Sequence[str],
        algorithms: Sequence[str],
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = list(audience)
        self._algorithms = list(algorithms)

    async def claims(self, authorization: str) -> Mapping[str, object]:
        """The claims of an `Authorization: Bearer` header.

        Raises:
            NotIdentifiedError: there is no valid token in it.
            KeysUnavailableError: it cannot be checked now.
        """
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise NotIdentifiedError("expected Authorization: Bearer and a token of your app")
        if len(token) > MAX_TOKEN:
            raise NotIdentifiedError("the token is too long")
        try:
            header: dict[str, Any] = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            raise NotIdentifiedError("the token is not a signed JWT") from None
        algorithm, key_id = header.get("alg"), header.get("kid")
        if algorithm not in self._algorithms:
            raise NotIdentifiedError("the token is signed by an algorithm that is not accepted")
        key = await self._keys.key(key_id, str(algorithm))
        if key is None:
            raise NotIdentifiedError("the token is signed by an unknown key")
        try:
            return jwt.decode(
                token,
                key,
                algorithms=[str(algorithm)],
                issuer=self._issuer,
                audience=self._audience,
                leeway=LEEWAY,
                options={"require": ["exp", "iss", "aud"]},
            )
        except jwt.ExpiredSignatureError:
            raise NotIdentifiedError("the token has expired") from None
        except jwt.PyJWTError:
            raise NotIdentifiedError(
                "the token is not valid here: signature, issuer, audience or time"
            ) from None
