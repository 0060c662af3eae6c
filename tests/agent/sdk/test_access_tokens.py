"""Tokens that this worker signs are good by any clock, and otherwise as the SDK makes them."""

from __future__ import annotations

import inspect
from typing import Any

import jwt
import pytest
from livekit import api
from livekit.agents import AgentServer
from livekit.api import _service as service

from agent.sdk import access_tokens

KEY, SECRET = "key", "a secret of thirty-two characters"


def token() -> api.AccessToken:
    grants = api.VideoGrants(room="kitchen", room_join=True)
    return api.AccessToken(KEY, SECRET).with_identity("ann").with_grants(grants)


def claims(signed: str) -> dict[str, Any]:
    return jwt.decode(signed, key=SECRET, issuer=KEY, algorithms=["HS256"])


def test_it_begins_long_ago_and_says_the_same_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    before = claims(access_tokens._to_jwt(token()))  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(api.AccessToken, "to_jwt", access_tokens._to_jwt)  # pyright: ignore[reportPrivateUsage]
    access_tokens.install()
    after = claims(token().to_jwt())
    # Not 0, which livekit-client 2.15 takes for none.
    assert after.pop("nbf") == 1
    assert before.pop("nbf") > 0
    assert 0 <= after.pop("exp") - before.pop("exp") <= 1
    assert after == before
    assert api.TokenVerifier(KEY, SECRET).verify(token().to_jwt()).identity == "ann"


def test_the_sdk_signs_all_its_tokens_by_this_method() -> None:
    connects: Any = vars(AgentServer)["_connection_task"]
    for source in (inspect.getsource(connects), inspect.getsource(service.Service)):
        assert "AccessToken(" in source
        assert ".to_jwt()" in source
