"""An identity provider: its keys at a URL, and tokens signed with them."""

from __future__ import annotations

import time
from typing import Any, Self

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

ISSUER = "https://login.example"
AUDIENCE = "room-agent"


class IdentityProvider:
    """Serves a JWKS; `fetches` counts how often it was asked for.

    Attributes:
        answer: what it answers with in place of its keys, if that is set.
    """

    def __init__(self) -> None:
        self.fetches = 0
        self.answer: web.Response | None = None
        self._keys: dict[str, ec.EllipticCurvePrivateKey] = {}
        self.url = ""
        self.rotate("first")

    @property
    def private_key(self) -> ec.EllipticCurvePrivateKey:
        return next(iter(self._keys.values()))

    def rotate(self, key_id: str) -> None:
        """Has this key alone from now on."""
        self._keys = {key_id: ec.generate_private_key(ec.SECP256R1())}

    def claims(self, **claims: object) -> dict[str, object]:
        base = {"iss": ISSUER, "aud": AUDIENCE, "exp": int(time.time()) + 300, "sub": "ana"}
        return {name: value for name, value in (base | claims).items() if value is not None}

    def token(self, *, key_id: str | None = None, **claims: object) -> str:
        """A token by the current key; a claim that is None is left out."""
        ((own_id, key),) = self._keys.items()
        return jwt.encode(
            self.claims(**claims),
            key,
            "ES256",
            headers={"kid": own_id if key_id is None else key_id},
        )

    def jwks(self) -> dict[str, Any]:
        keys: list[dict[str, Any]] = []
        for key_id, key in self._keys.items():
            jwk = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
            keys.append(jwk | {"kid": key_id, "use": "sig"})
        return {"keys": keys}

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/keys", self._serve)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/keys"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _serve(self, _: web.Request) -> web.StreamResponse:
        self.fetches += 1
        if (answer := self.answer) is not None:
            return web.Response(body=answer.body, status=answer.status, headers=answer.headers)
        return web.json_response(self.jwks())
