"""Validation of join requests: tokens, grants and parameters."""

from __future__ import annotations

import base64
import datetime
import hmac
import json
import time
from typing import TYPE_CHECKING

import aiohttp
import jwt
import pytest
from livekit import api
from livekit.protocol import rtc

from tests.devserver.raw_signal import encoded, join_request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.room_server import RoomServerUnderTest


NO_ROOM = "no permissions to access the room"


ALGORITHMS_OF_NOBODY = ("HS999", "hs256", "", "\ud800", 5, None, ["HS256"])


def segment(part: Mapping[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def signed(server: RoomServerUnderTest, **claims: object) -> str:
    """A token with these claims in place of those that let somebody join."""
    payload: dict[str, object] = {
        "iss": server.api_key,
        "sub": "someone",
        "exp": int(time.time()) + 600,
        "video": {"roomJoin": True, "room": "room"},
        **claims,
    }
    text = f"{segment({'alg': 'HS256', 'typ': 'JWT'})}.{segment(payload)}"
    # PyJWT refuses to sign claims of the wrong type.
    mac = hmac.digest(server.api_secret.encode(), text.encode(), "sha256")
    return f"{text}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


class TestValidation:
    """GET /rtc/v1/validate tells a client why it could not join."""

    async def ask(
        self,
        server: RoomServerUnderTest,
        http: aiohttp.ClientSession,
        path: str = "/rtc/v1/validate",
        **params: str,
    ) -> tuple[int, str]:
        async with http.get(server.http_url + path, params=params) as response:
            return response.status, await response.text()

    async def test_a_good_request(
        self, room_server: RoomServerUnderTest, http: aiohttp.ClientSession, room_name: str
    ) -> None:
        params = {
            "access_token": room_server.token("someone", room_name),
            "join_request": encoded(join_request()),
        }
        assert await self.ask(room_server, http, **params) == (200, "success")

    async def test_signalling_v0_is_validated_without_a_join_request(
        self, room_server: RoomServerUnderTest, http: aiohttp.ClientSession, room_name: str
    ) -> None:
        token = room_server.token("someone", room_name)
        answer = await self.ask(room_server, http, "/rtc/validate", access_token=token)
        assert answer == (200, "success")

    async def test_no_token(
        self, room_server: RoomServerUnderTest, http: aiohttp.ClientSession
    ) -> None:
        answer = await self.ask(room_server, http, join_request=encoded(join_request()))
        assert answer == (401, NO_ROOM)

    async def test_a_token_for_something_else(
        self, room_server: RoomServerUnderTest, http: aiohttp.ClientSession
    ) -> None:
        token = room_server.token("someone", room_create=True)
        answer = await self.ask(
            room_server, http, access_token=token, join_request=encoded(join_request())
        )
        assert answer == (401, "permissions denied")

    @pytest.mark.parametrize(
        ("header", "text"),
        [
            ("Basic abc", "invalid authorization header. Must start with Bearer "),
            ("Bearer nonsense", "invalid authorization token"),
        ],
    )
    async def test_malformed_tokens(
        self,
        room_server: RoomServerUnderTest,
        http: aiohttp.ClientSession,
        header: str,
        text: str,
    ) -> None:
        url = f"{room_server.http_url}/rtc/v1/validate"
        async with http.get(url, headers={"Authorization": header}) as response:
            assert (response.status, await response.text()) == (401, text)

    async def test_an_unknown_key(
        self, room_server: RoomServerUnderTest, http: aiohttp.ClientSession, room_name: str
    ) -> None:
        grants = api.VideoGrants(room_join=True, room=room_name)
        token = api.AccessToken("another", room_server.api_secret).with_grants(grants)
        answer = await self.ask(
            room_server, http, access_token=token.with_identity("someone").to_jwt()
        )
        assert answer == (401, "invalid API key: another")

    @pytest.mark.parametrize(
        ("secret", "seconds", "reason"),
        [
            ("x" * 40, 60, "token signature is invalid: signature is invalid"),
            (None, -300, "token has invalid claims: token is expired"),
        ],
    )
    async def test_a_token_that_does_not_verify(
        self,
        room_server: RoomServerUnderTest,
        http: aiohttp.ClientSession,
        room_name: str,
        secret: str | None,
        seconds: int,
        reason: str,
    ) -> None:
        claims = {
            "iss": room_server.api_key,
            "sub": "someone",
            "exp": int(time.time()) + seconds,
            "video": {"roomJoin": True, "room": room_name},
        }
        token = jwt.encode(claims, secret or room_server.api_secret, algorithm="HS256")
        answer = await self.ask(room_server, http, access_token=token)
        assert answer == (401, f"invalid token: {token}, error: {reason}")

    @pytest.mark.parametrize(
        ("claims", "reason"),
        [
            ({"video": "all"}, "string into Go struct field tokenClaims.ClaimGrants.video of type"),
            (
                {"video": {"room": 5}},
                "number into Go struct field VideoGrant.ClaimGrants.video",
            ),
            ({"video": {"roomJoin": "true"}}, "ClaimGrants.video.roomJoin of type bool"),
            ({"video": {"canPublishSources": "camera"}}, "canPublishSources of type []string"),
            ({"sip": {"admin": 1}}, "number into Go struct field SIPGrant.ClaimGrants.sip.admin"),
            ({"attributes": []}, "ClaimGrants.attributes of type map[string]string"),
            ({"attributes": {"a": 1}}, "ClaimGrants.attributes of type string"),
            ({"metadata": 1}, "tokenClaims.ClaimGrants.metadata of type string"),
            ({"roomConfig": "x"}, 'syntax error (line 1:1): unexpected token "x"'),
            ({"kind": 4}, "tokenClaims.ClaimGrants.kind of type string"),
            ({"kindDetails": "x"}, "tokenClaims.ClaimGrants.kindDetails of type []string"),
            ({"kindDetails": [1]}, "tokenClaims.ClaimGrants.kindDetails of type string"),
            ({"identity": 5}, "tokenClaims.ClaimGrants.identity of type string"),
        ],
    )
    async def test_claims_of_the_wrong_type(
        self,
        room_server: RoomServerUnderTest,
        http: aiohttp.ClientSession,
        claims: dict[str, object],
        reason: str,
    ) -> None:
        token = signed(room_server, **claims)
        status, text = await self.ask(room_server, http, access_token=token)
        begin = f"invalid token: {token}, error: token is malformed: could not JSON decode claim: "
        assert status == 401
        assert text.startswith(begin)
        assert reason in text

    @pytest.mark.parametrize(
        "claims", [{"iss": 5}, {"sub": 5}, {"exp": "soon"}, {"aud": 5}, {"jti": []}]
    )
    async def test_registered_claims_of_the_wrong_type(
        self,
        room_server: RoomServerUnderTest,
        http: aiohttp.ClientSession,
        claims: dict[str, object],
    ) -> None:
        answer = await self.ask(room_server, http, access_token=signed(room_server, **claims))
        assert answer == (401, "invalid authorization token")

    @pytest.mark.parametrize(
        "claims",
        [
            {"iat": int(time.time()) + 10_000},
            {"aud": "somebody"},
            {"jti": "once"},
            {"unheard": {"of": 1}},
            {"attributes": None, "sip": None, "roomConfig": {"unheard": 1}},
            {"video": {"ROOMJOIN": True, "Room": "room", "canPublish": None}},
            {"kindDetails": ["cloud_agent", None], "identity": "another"},
            {
                "sub": "half a pair: \ud800",
                "metadata": "\udc00",
                "attributes": {"\ud800": "\ud800"},
            },
        ],
    )
    async def test_claims_that_do_not_matter(
        self,
        room_server: RoomServerUnderTest,
        http: aiohttp.ClientSession,
        claims: dict[str, object],
    ) -> None:
        token = signed(room_server, **claims)
        answer = await self.ask(room_server, http, "/rtc/validate", access_token=token)
        assert answer == (200, "success")

    async def test_no_grants_for_rooms(
        self, room_server: RoomServerUnderTest, http: aiohttp.ClientSession
    ) -> None:
        answer = await self.ask(room_server, http, access_token=signed(room_server, video=None))
        assert answer == (401, NO_ROOM)

    @pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
    async def test_another_algorithm(
        self, room_server: RoomServerUnderTest, http: aiohttp.ClientSession, algorithm: str
    ) -> None:
        token = jwt.encode({"iss": room_server.api_key}, "x" * 64, algorithm=algorithm)
        answer = await self.ask(room_server, http, access_token=token)
        reason = f"token signature is invalid: signing method {algorithm} is invalid"
        assert answer == (401, f"invalid token: {token}, error: {reason}")

    @pytest.mark.parametrize("header", [{}, *({"alg": name} for name in ALGORITHMS_OF_NOBODY)])
    async def test_an_unknown_algorithm(
        self,
        room_server: RoomServerUnderTest,
        http: aiohttp.ClientSession,
        header: dict[str, object],
    ) -> None:
        payload = {"iss": room_server.api_key, "sub": "someone"}
        token = f"{segment({'typ': 'JWT', **header})}.{segment(payload)}.AAAA"
        answer = await self.ask(room_server, http, access_token=token)
        assert answer == (401, "invalid authorization token")

    async def test_half_a_surrogate_pair_in_the_key(
        self, room_server: RoomServerUnderTest, http: aiohttp.ClientSession
    ) -> None:
        token = signed(room_server, iss="half \ud800 a pair")
        answer = await self.ask(room_server, http, access_token=token)
        assert answer == (401, "invalid API key: half \ufffd a pair")

    async def test_a_token_may_be_a_minute_late(
        self, room_server: RoomServerUnderTest, http: aiohttp.ClientSession, room_name: str
    ) -> None:
        token = room_server.access_token("someone", room_name)
        late = token.with_ttl(datetime.timedelta(seconds=-30)).to_jwt()
        answer = await self.ask(
            room_server, http, access_token=late, join_request=encoded(join_request())
        )
        assert answer == (200, "success")

    @pytest.mark.parametrize(
        ("parameter", "text"),
        [
            ("", "join_request is required"),
            ("*", "cannot base64 decode wrapped join request"),
            ("abc", "cannot base64 decode wrapped join request"),
            ("____", "cannot unmarshal wrapped join request"),
            (encoded(rtc.JoinRequest(metadata="x" * (1 << 20))), "join request too large"),
        ],
    )
    async def test_a_malformed_join_request(
        self,
        room_server: RoomServerUnderTest,
        http: aiohttp.ClientSession,
        room_name: str,
        parameter: str,
        text: str,
    ) -> None:
        token = room_server.token("someone", room_name)
        answer = await self.ask(room_server, http, access_token=token, join_request=parameter)
        assert answer == (400, text)

    @pytest.mark.parametrize(
        ("identity", "room", "status", "text"),
        [
            ("", "room", 400, "identity cannot be empty"),
            ("someone", "", 400, "no room name"),
            (
                "x" * 257,
                "room",
                400,
                "participant identity length exceeds limits: max length 256",
            ),
            ("someone", "x" * 257, 400, "room name length exceeds limits: max length 256"),
        ],
    )
    async def test_names(
        self,
        room_server: RoomServerUnderTest,
        http: aiohttp.ClientSession,
        identity: str,
        room: str,
        status: int,
        text: str,
    ) -> None:
        claims = {
            "iss": room_server.api_key,
            "sub": identity,
            "exp": int(time.time()) + 60,
            "video": {"roomJoin": True, "room": room},
        }
        token = jwt.encode(claims, room_server.api_secret, algorithm="HS256")
        answer = await self.ask(
            room_server, http, access_token=token, join_request=encoded(join_request())
        )
        assert answer == (status, text)

    @pytest.mark.parametrize(
        "request_fields", [{"metadata": "mine"}, {"participant_attributes": {"key": "value"}}]
    )
    async def test_own_metadata_needs_its_grant(
        self,
        room_server: RoomServerUnderTest,
        http: aiohttp.ClientSession,
        room_name: str,
        request_fields: dict[str, object],
    ) -> None:
        parameter = encoded(join_request(**request_fields))
        for allowed, expected in ((False, (401, NO_ROOM)), (True, (200, "success"))):
            token = room_server.token("someone", room_name, can_update_own_metadata=allowed)
            answer = await self.ask(room_server, http, access_token=token, join_request=parameter)
            assert answer == expected

    async def test_a_page_of_any_origin_may_ask(
        self, room_server: RoomServerUnderTest, http: aiohttp.ClientSession
    ) -> None:
        url = f"{room_server.http_url}/rtc/v1/validate"
        async with http.get(url, headers={"Origin": "https://example.org"}) as response:
            assert response.status == 401
            assert response.headers["Access-Control-Allow-Origin"] == "*"
        async with http.get(
            f"{room_server.http_url}/", headers={"Origin": "https://example.org"}
        ) as response:
            assert response.headers["Access-Control-Allow-Origin"] == "https://example.org"
        preflight = {
            "Origin": "https://example.org",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization",
        }
        url = f"{room_server.http_url}/twirp/livekit.RoomService/ListRooms"
        async with http.options(url, headers=preflight) as response:
            assert response.status == 204
            assert response.headers["Access-Control-Allow-Origin"] == "https://example.org"
            assert response.headers["Access-Control-Allow-Methods"] == "POST"
            assert response.headers["Access-Control-Max-Age"] == "86400"

    async def test_pages(
        self, room_server: RoomServerUnderTest, http: aiohttp.ClientSession, room_name: str
    ) -> None:
        token = room_server.token("someone", room_name)
        for path, expected in (
            ("/", (200, "OK")),
            ("/rtc/v1", (404, "")),
            ("/settings/regions", (404, "404 page not found\n")),
            ("/nonsense", (404, "404 page not found\n")),
        ):
            assert await self.ask(room_server, http, path, access_token=token) == expected
