"""Tokens that the room server takes also from a machine whose clock is ahead of its own.

`AccessToken.to_jwt` (livekit/api/access_token.py) makes each token begin when it is made (`nbf`),
and a server refuses one that begins more than a minute in its future: livekit-server by the leeway
of go-jose's `Claims.Validate`. These begin in 1970, and end at their `exp`. The claim stays, since
client-sdk-swift cannot read a token without it (Sources/LiveKit/Token/JWT.swift), and it is not 0:
livekit-client 2.15 takes that for none, and such a token for valid for ever
(src/room/token-source/utils.ts).
"""

from __future__ import annotations

import jwt
from livekit import api

from agent.sdk.patches import PROCESS, mentions

_BEGINS = 1
"""Seconds since 1970."""

_to_jwt = api.AccessToken.to_jwt


def signed(token: api.AccessToken) -> str:
    """The JWT of a token that is valid now by any clock. Raises ValueError as `to_jwt` does."""
    claims = jwt.decode(_to_jwt(token), options={"verify_signature": False})
    claims["nbf"] = _BEGINS
    return jwt.encode(claims, token.api_secret, algorithm="HS256")


def install() -> None:
    """Makes the SDK sign its own tokens this way: those of the worker's connection and of API
    requests."""
    if PROCESS.applies(
        "tokens",
        fits=mentions(api.AccessToken.__init__, "api_secret"),
        instead="a worker whose clock is a minute ahead of the room server's is refused",
    ):
        setattr(api.AccessToken, "to_jwt", signed)  # noqa: B010 - a method is no variable to type checkers
