"""The provider's keys: rotation, outages, and how often it is asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator

import aiohttp
import pytest
from aiohttp import web

from agent.access.signing_keys import (
    BETWEEN_FETCHES,
    FRESH,
    MAX_BYTES,
    STALE,
    KeysUnavailableError,
    SigningKeys,
)
from tests.agent.access.identity_provider import IdentityProvider


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def keys(provider: IdentityProvider, clock: Clock) -> AsyncGenerator[SigningKeys]:
    async with aiohttp.ClientSession() as http:
        yield SigningKeys(provider.url, http, now=clock)


async def test_keys_are_fetched_once(keys: SigningKeys, provider: IdentityProvider) -> None:
    found = await asyncio.gather(*(keys.key("first", "ES256") for _ in range(20)))
    assert all(found)
    assert provider.fetches == 1


async def test_a_new_key_counts_and_the_old_one_no_longer(
    keys: SigningKeys, provider: IdentityProvider, clock: Clock
) -> None:
    assert await keys.key("first", "ES256")
    provider.rotate("second")
    clock.now += BETWEEN_FETCHES
    assert await keys.key("second", "ES256")
    assert await keys.key("first", "ES256") is None


async def test_a_key_that_was_withdrawn_counts_no_longer_than_keys_are_fresh(
    keys: SigningKeys, provider: IdentityProvider, clock: Clock
) -> None:
    assert await keys.key("first", "ES256")
    provider.rotate("second")
    clock.now += FRESH + 1
    assert await keys.key("first", "ES256") is None


async def test_unknown_keys_do_not_make_requests_to_the_provider(
    keys: SigningKeys, provider: IdentityProvider, clock: Clock
) -> None:
    for n in range(200):
        assert await keys.key(f"made-up-{n}", "ES256") is None
    assert provider.fetches == 1
    clock.now += BETWEEN_FETCHES
    await asyncio.gather(*(keys.key(f"made-up-{n}", "ES256") for n in range(200)))
    assert provider.fetches == 2


async def test_known_keys_count_for_a_while_where_the_provider_is_down(
    keys: SigningKeys,
    provider: IdentityProvider,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert await keys.key("first", "ES256")
    provider.answer = web.Response(status=500)
    for _ in range(3):
        clock.now += FRESH
        assert await keys.key("first", "ES256")
    clock.now += STALE
    with pytest.raises(KeysUnavailableError):
        await keys.key("first", "ES256")
    assert len([each for each in caplog.records if "failed" in each.message]) == 1
    provider.answer = None
    clock.now += BETWEEN_FETCHES
    assert await keys.key("first", "ES256")
    assert "available again" in caplog.text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"keys": 1}',
        b'{"keys": []}',
        json.dumps({"keys": ["x" * MAX_BYTES]}).encode(),
    ],
    ids=["empty", "html", "list", "number", "none", "huge"],
)
async def test_a_malformed_jwks_has_no_keys(
    keys: SigningKeys, provider: IdentityProvider, body: bytes
) -> None:
    provider.answer = web.Response(body=body)
    with pytest.raises(KeysUnavailableError):
        await keys.key("first", "ES256")


async def test_redirects_are_not_followed(keys: SigningKeys, provider: IdentityProvider) -> None:
    provider.answer = web.Response(status=302, headers={"Location": provider.url})
    with pytest.raises(KeysUnavailableError):
        await keys.key("first", "ES256")
    assert provider.fetches == 1


@pytest.mark.parametrize(
    "change",
    [{"use": "enc"}, {"alg": "ES384"}, {"kty": "RSA"}, {"crv": "P-384"}, {"x": "!"}],
    ids=str,
)
async def test_a_key_for_something_else_is_no_key(
    keys: SigningKeys, provider: IdentityProvider, change: dict[str, str]
) -> None:
    (key,) = provider.jwks()["keys"]
    provider.answer = web.json_response({"keys": [key | change]})
    assert await keys.key("first", "ES256") is None


async def test_a_token_without_a_key_id_gets_the_only_key(
    keys: SigningKeys, provider: IdentityProvider, clock: Clock
) -> None:
    assert await keys.key(None, "ES256")
    (key,) = provider.jwks()["keys"]
    provider.answer = web.json_response({"keys": [key, key | {"kid": "other"}]})
    clock.now += FRESH + 1
    assert await keys.key(None, "ES256") is None
