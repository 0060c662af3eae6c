"""Tokens, their grants, and refusals; the form is LiveKit's standard one."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from aiohttp import web

from agent.access.token_endpoint import MAX_BODY
from tests.agent.access.conftest import SECRET, Client, Open
from tests.agent.access.identity_provider import IdentityProvider

PLAIN_GRANTS = {
    "roomJoin": True,
    "canPublish": True,
    "canSubscribe": True,
    "canPublishData": True,
}
"""The minimum of grants for somebody in a room."""


async def ask(client: Client, token: str = "", status: int = 201, **body: object) -> Any:  # noqa: ANN401 - claims, or the text of an error
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with client.post("/token", json=body, headers=headers) as response:
        text = await response.text()
        assert response.status == status, text
        assert response.headers["Cache-Control"] == "no-store"
        if status != 201:
            return text
    answer = json.loads(text)
    assert answer.keys() == {"server_url", "participant_token"}
    assert answer["server_url"] == "wss://rooms.example"
    return jwt.decode(answer["participant_token"], SECRET, algorithms=["HS256"])


async def test_claims_say_who_somebody_is_and_the_grants_are_the_least(
    open_endpoint: Open, provider: IdentityProvider
) -> None:
    client = await open_endpoint(
        ACCESS_ROLES="{realm.roles}", ACCESS_IDENTITY="{org}:{sub}", agent_name="helper"
    )
    token = provider.token(
        org="acme", team="red", name="Ana A.", realm={"roles": ["moderator", "cook"]}
    )
    claims = await ask(client, token, room_name="team:red:1")
    assert (claims["sub"], claims["name"]) == ("acme:ana", "Ana A.")
    assert claims["video"] == PLAIN_GRANTS | {"room": "team:red:1"}
    assert claims["attributes"] == {"role": "moderator,cook"}
    assert claims["roomConfig"]["agents"][0]["agentName"] == "helper"
    assert claims["exp"] - time.time() == pytest.approx(600, abs=30)
    assert "metadata" not in claims


@pytest.mark.parametrize(
    ("roles", "department", "given"),
    [
        ("dept-{department}", "x,moderator", None),
        ("dept-{department}", "x , moderator", None),
        ("{department}", "moderator,", None),
        ("dept-{department}", ["x,moderator", "kitchen"], "dept-kitchen"),
        ("guest,dept-{department}", "kitchen", "guest,dept-kitchen"),
        ("guest,dept-{department}", "x,moderator", None),
    ],
)
async def test_a_comma_in_a_claim_makes_no_role(
    open_endpoint: Open,
    provider: IdentityProvider,
    roles: str,
    department: object,
    given: str | None,
) -> None:
    client = await open_endpoint(ACCESS_ROLES=roles)
    claims = await ask(client, provider.token(department=department))
    assert claims.get("attributes", {}).get("role") == given


async def test_without_a_room_the_first_of_their_own_is_given(
    open_endpoint: Open, provider: IdentityProvider
) -> None:
    client = await open_endpoint()
    claims = await ask(client, provider.token())
    assert claims["video"]["room"] == "user:ana"
    assert "roomConfig" not in claims
    only_wild = await open_endpoint(ACCESS_ROOMS="*")
    assert "room_name" in await ask(only_wild, provider.token(), 400)


@pytest.mark.parametrize(
    "asked",
    [
        {"room_name": "user:bob"},
        {"room_name": "team:blue:1"},
        {"room_name": "team:red:"},
        {"room_name": "team:red:\u202ex"},
        {"participant_identity": "bob"},
        {"participant_name": "Agent"},
        {"participant_metadata": "{}"},
        {"participant_attributes": {"role": "moderator"}},
        {"room_config": {"agents": [{"agent_name": "other"}]}},
        {"room_config": {"agents": [{"agent_name": "helper", "metadata": '{"tenant": "x"}'}]}},
        {"room_config": {"agents": [{"agent_name": "helper"}, {"agent_name": "helper"}]}},
        {"room_config": {"egress": {"room": {"room_name": "x"}}}},
        {"room_config": {"max_participants": 1}},
    ],
    ids=str,
)
async def test_fields_that_clients_may_not_choose_are_refused(
    open_endpoint: Open, provider: IdentityProvider, asked: dict[str, object]
) -> None:
    client = await open_endpoint(agent_name="helper")
    token = provider.token(team="red", name="Ana A.")
    text = await ask(client, token, 403, **asked)
    assert next(iter(asked)) in text


async def test_a_request_may_repeat_ones_own_claims(
    open_endpoint: Open, provider: IdentityProvider
) -> None:
    client = await open_endpoint(agent_name="helper")
    await ask(
        client,
        provider.token(name="Ana A."),
        room_name="user:ana",
        participant_identity="ana",
        participant_name="Ana A.",
        participant_metadata=None,
        participant_attributes={},
        room_config={"agents": [{"agentName": "helper"}]},
        something_newer=1,
    )


def encoded(*parts: object) -> str:
    return ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts
    )


def unsigned(provider: IdentityProvider) -> str:
    return encoded({"alg": "none", "typ": "JWT"}, provider.claims()) + "."


def signed_with_the_public_key(provider: IdentityProvider) -> str:
    """The confusion of algorithms: the public key as a shared secret."""
    (key,) = provider.jwks()["keys"]
    signed = encoded({"alg": "HS256", "kid": "first"}, provider.claims())
    signature = hmac.digest(json.dumps(key).encode(), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def of_a_stranger(provider: IdentityProvider) -> str:
    return IdentityProvider().token(sub=provider.claims()["sub"])


def with_its_own_key(provider: IdentityProvider) -> str:
    """A key in the token's header proves nothing."""
    stranger = IdentityProvider()
    (public,) = stranger.jwks()["keys"]
    headers = {"kid": "first", "jwk": public, "jku": "http://127.0.0.1:1/keys"}
    return jwt.encode(provider.claims(), stranger.private_key, "ES256", headers=headers)


def changed(provider: IdentityProvider) -> str:
    header, _, signature = provider.token().split(".")
    claims = json.dumps(provider.claims(sub="bob")).encode()
    return f"{header}.{base64.urlsafe_b64encode(claims).rstrip(b'=').decode()}.{signature}"


FORGERIES = (unsigned, signed_with_the_public_key, of_a_stranger, with_its_own_key, changed)


@pytest.mark.parametrize("forge", FORGERIES)
async def test_nobody_gets_in_by_a_forged_token(
    open_endpoint: Open, provider: IdentityProvider, forge: Callable[[IdentityProvider], str]
) -> None:
    await is_refused(await open_endpoint(), forge(provider))


@pytest.mark.parametrize(
    "claims",
    [
        {"key_id": "unknown"},
        {"iss": "https://other.example"},
        {"iss": None},
        {"aud": "other"},
        {"aud": None},
        pytest.param({"exp": int(time.time()) - 60}, id="expired"),
        {"exp": None},
        pytest.param({"nbf": int(time.time()) + 6000}, id="not yet valid"),
    ],
    ids=str,
)
async def test_a_token_for_something_else_is_refused(
    open_endpoint: Open, provider: IdentityProvider, claims: dict[str, Any]
) -> None:
    await is_refused(await open_endpoint(), provider.token(**claims))


@pytest.mark.parametrize("token", ["", "a.b.c", "x" * 7500], ids=["none", "no JWT", "too long"])
async def test_no_token_is_refused(open_endpoint: Open, token: str) -> None:
    await is_refused(await open_endpoint(), token)


async def is_refused(client: Client, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    async with client.post("/token", json={}, headers=headers) as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert "participant_token" not in await response.text()


@pytest.mark.parametrize("sub", [None, "", " ana", "a\nb", "agent", "x" * 129, 1.5])
async def test_an_identity_that_is_none_or_the_agents_is_refused(
    open_endpoint: Open, provider: IdentityProvider, sub: object
) -> None:
    client = await open_endpoint(ACCESS_IDENTITY="{id}")
    await ask(client, provider.token(id=sub), 403)


async def test_unavailable_keys_give_no_access(
    open_endpoint: Open, provider: IdentityProvider
) -> None:
    provider.answer = web.Response(status=500)
    client = await open_endpoint()
    await ask(client, provider.token(), 503)


async def test_one_person_gets_so_many(open_endpoint: Open, provider: IdentityProvider) -> None:
    client = await open_endpoint(ACCESS_RATE="3/hour")
    for _ in range(3):
        await ask(client, provider.token())
    async with client.post(
        "/token", json={}, headers={"Authorization": f"Bearer {provider.token()}"}
    ) as response:
        assert response.status == 429
        assert 3500 < int(response.headers["Retry-After"]) <= 3600
    await ask(client, provider.token(sub="bob"))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 201),
        (b"{}", 201),
        (b"[]", 400),
        (b"{", 400),
        (b'{"room_name": 1}', 400),
        (b'{"participant_attributes": {"a": 1}}', 400),
        (b'{"room_config": {"agents": 1}}', 400),
        (b'{"room_config": []}', 400),
        (b"\xff", 400),
        (b" " * (MAX_BODY + 1), 413),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_bodies(
    open_endpoint: Open, provider: IdentityProvider, body: bytes, status: int
) -> None:
    client = await open_endpoint()
    headers = {"Authorization": f"Bearer {provider.token()}"}
    async with client.post("/token", data=body, headers=headers) as response:
        assert response.status == status, await response.text()


async def test_pages_of_listed_origins_may_ask_and_others_may_not(
    open_endpoint: Open, provider: IdentityProvider
) -> None:
    client = await open_endpoint(ACCESS_ORIGINS="https://app.example")
    preflight = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    own, other = {"Origin": "https://app.example"}, {"Origin": "https://evil.example"}
    async with client.options("/token", headers=own | preflight) as response:
        assert response.status == 204
        assert response.headers["Access-Control-Allow-Origin"] == "https://app.example"
        assert "authorization" in response.headers["Access-Control-Allow-Headers"]
        assert "Access-Control-Allow-Credentials" not in response.headers
    auth = {"Authorization": f"Bearer {provider.token()}"}
    async with client.post("/token", json={}, headers=own | auth) as response:
        assert response.status == 201
        assert response.headers["Access-Control-Allow-Origin"] == "https://app.example"
    async with client.post("/token", json={}, headers=own) as response:
        assert response.status == 401
        assert response.headers["Access-Control-Allow-Origin"] == "https://app.example"
    for origin in (other, {"Origin": "null"}, {"Origin": "http://localhost:5173"}):
        for answer in (
            client.options("/token", headers=origin | preflight),
            client.post("/token", json={}, headers=origin | auth),
        ):
            async with answer as response:
                assert response.status == 403
                assert "Access-Control-Allow-Origin" not in response.headers


async def test_on_a_developers_machine_anybody_gets_what_they_ask_for(open_endpoint: Open) -> None:
    client = await open_endpoint(anybody=True, agent_name="helper")
    claims = await ask(
        client,
        room_name="R",
        participant_identity="I",
        participant_name="Ida",
        participant_metadata="m",
        participant_attributes={"role": "moderator"},
        room_config={"agents": [{"agent_name": "mine", "metadata": "x"}]},
    )
    assert (claims["sub"], claims["name"], claims["metadata"]) == ("I", "Ida", "m")
    assert claims["attributes"] == {"role": "moderator"}
    assert claims["video"] == PLAIN_GRANTS | {"room": "R"}
    assert [each["agentName"] for each in claims["roomConfig"]["agents"]] == ["mine"]
    made_up, another = await asyncio.gather(ask(client), ask(client))
    assert made_up["sub"] != another["sub"]
    assert made_up["roomConfig"]["agents"][0]["agentName"] == "helper"
    assert "reserved for the agent" in await ask(client, "", 403, participant_identity="agent")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 201),
        ({"Host": "localhost:8070"}, 201),
        ({"Host": "10.0.2.2:8070"}, 201),
        ({"Host": "[::1]:8070"}, 201),
        ({"Origin": "http://localhost:5173"}, 201),
        ({"Host": "evil.example"}, 403),
        ({"Host": "localhost.evil.example:8070"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "http://localhost.evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"X-Request-Id": "1"}, 201),
        ({"Forwarded": "for=203.0.113.7"}, 403),
        ({"x-forwarded-for": "203.0.113.7"}, 403),
        ({"X-Forwarded-Proto": "https"}, 403),
        ({"X-Real-IP": "203.0.113.7"}, 403),
        ({"Via": "1.1 proxy"}, 403),
    ],
    ids=str,
)
async def test_without_an_identity_provider_other_names_and_sites_get_nothing(
    open_endpoint: Open, headers: dict[str, str], status: int
) -> None:
    client = await open_endpoint(anybody=True)
    async with client.post("/token", json={}, headers=headers) as response:
        assert response.status == status


async def test_without_an_identity_provider_nothing_is_given_through_a_proxy(
    open_endpoint: Open,
) -> None:
    """As nginx passes on by default: no header of its own, the address as Host, HTTP/1.0."""
    client = await open_endpoint(anybody=True)
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    host = f"Host: 127.0.0.1:{client.port}\r\n"
    writer.write(f"POST /token HTTP/1.0\r\n{host}Content-Length: 2\r\n\r\n{{}}".encode())
    answer = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    assert answer.split()[1] == "403"
    assert "a proxy gets no tokens. Set ACCESS_JWKS_URL" in answer


async def test_with_an_identity_provider_a_proxy_may_be_before_it(
    open_endpoint: Open, provider: IdentityProvider
) -> None:
    client = await open_endpoint()
    headers = {
        "Authorization": f"Bearer {provider.token()}",
        "Host": "rooms.example",
        "X-Forwarded-For": "203.0.113.7",
        "Via": "1.1 proxy",
    }
    async with client.post("/token", json={}, headers=headers) as response:
        assert response.status == 201


async def test_people_may_change_their_metadata_where_that_is_wanted(
    open_endpoint: Open, provider: IdentityProvider
) -> None:
    client = await open_endpoint(ACCESS_UPDATE_OWN_METADATA="true")
    assert (await ask(client, provider.token()))["video"]["canUpdateOwnMetadata"] is True


async def test_it_says_that_it_lives(open_endpoint: Open) -> None:
    client = await open_endpoint()
    async with client.get("/healthz") as response:
        assert response.status == 200
    async with client.get("/token") as response:
        assert response.status == 405
