"""The server API over Twirp: routes, codecs and permissions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from livekit import api
from livekit.protocol import models
from yarl import URL

if TYPE_CHECKING:
    import aiohttp

    from tests.devserver.twirp_client import TwirpClient
    from tests.room_server import RoomServerUnderTest

PERMISSION_DENIED = (401, "unauthenticated", "permissions denied")
BAD_JSON = (400, "malformed", "the json request could not be decoded")

METHODS_OF_ADMINISTRATORS: list[tuple[str, dict[str, Any]]] = [
    ("RoomService/ListParticipants", {}),
    ("RoomService/GetParticipant", {"identity": "nobody"}),
    ("RoomService/RemoveParticipant", {"identity": "nobody"}),
    ("RoomService/MutePublishedTrack", {"identity": "nobody", "track_sid": "TR_x", "muted": True}),
    ("RoomService/UpdateParticipant", {"identity": "nobody"}),
    ("RoomService/UpdateSubscriptions", {"identity": "nobody"}),
    ("RoomService/SendData", {"data": "YQ=="}),
    ("RoomService/UpdateRoomMetadata", {"metadata": "x"}),
    ("RoomService/PerformRpc", {"destination_identity": "nobody", "method": "x"}),
    ("AgentDispatchService/CreateDispatch", {"agent_name": "a"}),
    ("AgentDispatchService/ListDispatch", {}),
    ("AgentDispatchService/DeleteDispatch", {"dispatch_id": "AD_x"}),
]


class TestRoutes:
    @pytest.mark.parametrize(
        "method", ["RoomService/Nope", "RoomService/", "AgentDispatchService/Nope"]
    )
    async def test_a_method_that_does_not_exist(self, twirp: TwirpClient, method: str) -> None:
        answer = await twirp.call(method)
        path = f"/twirp/livekit.{method}"
        assert answer.content_type == "application/json"
        assert answer.status == 404
        assert answer.body == {
            "code": "bad_route",
            "msg": f'no handler for path "{path}"',
            "meta": {"twirp_invalid_route": f"POST {path}"},
        }

    @pytest.mark.parametrize("path", ["/twirp/livekit.Nope/Method", "/twirp/", "/nowhere"])
    async def test_a_path_that_does_not_exist(
        self, room_server: RoomServerUnderTest, http: aiohttp.ClientSession, path: str
    ) -> None:
        async with http.post(room_server.http_url + path) as response:
            assert response.status == 404
            assert response.content_type == "text/plain"
            assert await response.text() == "404 page not found\n"
            assert response.headers["X-Content-Type-Options"] == "nosniff"

    async def test_only_post(self, twirp: TwirpClient) -> None:
        answer = await twirp.call("RoomService/ListRooms", verb="GET")
        assert answer.error == (404, "bad_route", 'unsupported method "GET" (only POST is allowed)')
        assert answer.body["meta"] == {
            "twirp_invalid_route": "GET /twirp/livekit.RoomService/ListRooms"
        }

    @pytest.mark.parametrize("content_type", ["text/plain", "application/octet-stream", "a;b"])
    async def test_only_protobuf_and_json(self, twirp: TwirpClient, content_type: str) -> None:
        answer = await twirp.call("RoomService/ListRooms", content_type=content_type)
        assert answer.error == (404, "bad_route", f'unexpected Content-Type: "{content_type}"')

    @pytest.mark.parametrize(
        "content_type", ["application/json; charset=utf-8", "Application/JSON", " application/json"]
    )
    async def test_content_types_are_read_leniently(
        self, twirp: TwirpClient, content_type: str
    ) -> None:
        assert (await twirp.call("RoomService/ListRooms", content_type=content_type)).status == 200

    async def test_a_url_that_ends_in_a_slash(
        self, room_server: RoomServerUnderTest, twirp: TwirpClient, http: aiohttp.ClientSession
    ) -> None:
        headers = {"Authorization": f"Bearer {twirp.administrator('')}"}
        url = f"{room_server.http_url}//twirp/livekit.RoomService/ListRooms"
        async with http.post(url, json={"names": ["none"]}, headers=headers) as response:
            assert (response.status, await response.json()) == (200, {"rooms": []})

    @pytest.mark.parametrize(
        ("path", "location"),
        [
            ("/rtc//validate?a=b", "/rtc/validate?a=b"),
            ("/twirp/livekit.RoomService", "/twirp/livekit.RoomService/"),
            ("/twirp/livekit.RoomService//X", "/twirp/livekit.RoomService/X"),
            ("/nowhere/../rtc/", "/rtc/"),
            ("/./", "/"),
        ],
    )
    async def test_paths_that_are_redirected(
        self,
        room_server: RoomServerUnderTest,
        http: aiohttp.ClientSession,
        path: str,
        location: str,
    ) -> None:
        url = URL(room_server.http_url + path, encoded=True)
        async with http.post(url, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (307, location)
            assert await response.read() == b""
        async with http.get(url, allow_redirects=False) as response:
            assert response.content_type == "text/html"
            page = f'<a href="{location}">Temporary Redirect</a>.\n\n'
            assert await response.text() == page


class TestCodecs:
    @pytest.mark.parametrize(
        "body",
        [
            *(b"", b"{", b"[]", b'{"name": 5}', b'{"name": "x", "emptyTimeout": "soon"}'),
            *(b'{"\\ud83d": 1}', b"\xef\xbb\xbf{}", b'{"name": "x", "name": "y"}', b'{"x": NaN}'),
        ],
    )
    async def test_bad_json(self, twirp: TwirpClient, body: bytes) -> None:
        answer = await twirp.call("RoomService/CreateRoom", body)
        assert answer.content_type == "application/json"
        assert answer.error == BAD_JSON

    async def test_a_field_by_both_of_its_names(self, twirp: TwirpClient) -> None:
        body = b'{"name": "x", "empty_timeout": 5, "emptyTimeout": 5}'
        assert (await twirp.call("RoomService/CreateRoom", body)).error == BAD_JSON

    @pytest.mark.parametrize("rest", [b"{}", b" garbage", b"//"])
    async def test_what_follows_the_request_is_left(self, twirp: TwirpClient, rest: bytes) -> None:
        answer = await twirp.call("RoomService/ListRooms", b' {"names": ["none"]}' + rest)
        assert answer == (200, "application/json", {"rooms": []})

    async def test_a_body_is_read_as_it_is(
        self, room_server: RoomServerUnderTest, twirp: TwirpClient, http: aiohttp.ClientSession
    ) -> None:
        headers = {
            "Authorization": f"Bearer {twirp.administrator('')}",
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
        }
        url = f"{room_server.http_url}/twirp/livekit.RoomService/ListRooms"
        async with http.post(url, data=b'{"names": ["none"]}', headers=headers) as response:
            assert (response.status, await response.json()) == (200, {"rooms": []})

    async def test_bad_protobuf(self, twirp: TwirpClient) -> None:
        answer = await twirp.call(
            "RoomService/CreateRoom", b"\xff\xff\xff", content_type="application/protobuf"
        )
        assert answer.content_type == "application/json"
        assert answer.error == (
            400,
            "malformed",
            "the protobuf request could not be decoded",
        )

    async def test_json_takes_both_spellings_and_ignores_what_it_does_not_know(
        self, twirp: TwirpClient, room_name: str
    ) -> None:
        answer = await twirp.call(
            "RoomService/CreateRoom",
            {"name": room_name, "emptyTimeout": 77, "max_participants": 3, "unknown": [1]},
        )
        assert answer.status == 200
        assert answer.body["empty_timeout"] == 77
        assert answer.body["max_participants"] == 3

    async def test_json_answers_state_every_field_by_its_protobuf_name(
        self, twirp: TwirpClient, room_name: str
    ) -> None:
        room = (await twirp.call("RoomService/CreateRoom", {"name": room_name})).body
        assert set(room) == {
            "sid",
            "name",
            "empty_timeout",
            "departure_timeout",
            "max_participants",
            "creation_time",
            "creation_time_ms",
            "enabled_codecs",
            "metadata",
            "num_participants",
            "num_publishers",
            "active_recording",
            "turn_password",
            "version",
        }
        assert room["sid"].startswith("RM_")
        assert (room["empty_timeout"], room["departure_timeout"]) == (300, 20)
        assert isinstance(room["creation_time"], str)
        assert room["active_recording"] is False
        assert room["version"] is None
        dispatch = (
            await twirp.call(
                "AgentDispatchService/CreateDispatch", {"room": room_name, "agent_name": "a"}
            )
        ).body
        assert dispatch.pop("id").startswith("AD_")
        assert int(dispatch["state"].pop("created_at")) > 0
        assert dispatch == {
            "agent_name": "a",
            "room": room_name,
            "metadata": "",
            "state": {"jobs": [], "deleted_at": "0"},
            "restart_policy": "JRP_ON_FAILURE",
            "deployment": "",
            "attributes": {},
        }

    async def test_protobuf_both_ways(
        self,
        room_server: RoomServerUnderTest,
        twirp: TwirpClient,
        http: aiohttp.ClientSession,
        room_name: str,
    ) -> None:
        headers = {
            "Authorization": f"Bearer {twirp.administrator(room_name)}",
            "Content-Type": "application/protobuf",
        }
        async with http.post(
            f"{room_server.http_url}/twirp/livekit.RoomService/CreateRoom",
            data=api.CreateRoomRequest(name=room_name).SerializeToString(),
            headers=headers,
        ) as response:
            assert response.content_type == "application/protobuf"
            room = models.Room.FromString(await response.read())
        assert room.name == room_name


class TestPermissions:
    @pytest.mark.parametrize(("method", "request_"), METHODS_OF_ADMINISTRATORS)
    async def test_administrators_of_another_room_are_refused(
        self, twirp: TwirpClient, method: str, request_: dict[str, Any]
    ) -> None:
        answer = await twirp.call(
            method, {"room": "one", **request_}, token=twirp.administrator("another")
        )
        assert answer.error == PERMISSION_DENIED

    @pytest.mark.parametrize(
        ("method", "request_"),
        [
            ("RoomService/CreateRoom", {"name": "x"}),
            ("RoomService/ListRooms", {}),
            ("RoomService/DeleteRoom", {"room": "x"}),
        ],
    )
    async def test_participants_are_refused(
        self,
        room_server: RoomServerUnderTest,
        twirp: TwirpClient,
        method: str,
        request_: dict[str, Any],
    ) -> None:
        answer = await twirp.call(method, request_, token=room_server.token("someone", "x"))
        assert answer.error == PERMISSION_DENIED

    async def test_without_a_token(self, twirp: TwirpClient) -> None:
        answer = await twirp.call("RoomService/ListRooms", token="")
        assert answer.error == PERMISSION_DENIED

    async def test_a_bad_token(self, twirp: TwirpClient) -> None:
        answer = await twirp.call("RoomService/ListRooms", token="nonsense")  # noqa: S106  # it is none
        assert answer == (401, "text/plain", "invalid authorization token")
