"""Browsers ask before they call: CORS, as livekit-server answers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import aiohttp

    from tests.devserver.twirp_client import TwirpClient
    from tests.room_server import RoomServerUnderTest


class TestBrowsers:
    async def test_any_page_may_call(
        self, room_server: RoomServerUnderTest, twirp: TwirpClient, http: aiohttp.ClientSession
    ) -> None:
        url = f"{room_server.http_url}/twirp/livekit.RoomService/ListRooms"
        origin = {"Origin": "http://localhost:3000"}
        preflight = {
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization",
        }
        async with http.options(url, headers=origin | preflight) as response:
            assert response.status == 204
            assert response.headers["Access-Control-Allow-Origin"] == origin["Origin"]
            assert response.headers["Access-Control-Allow-Methods"] == "POST"
            assert response.headers["Access-Control-Allow-Headers"] == "authorization"
        authorization = {"Authorization": f"Bearer {twirp.administrator('')}"}
        async with http.post(url, json={}, headers=origin | authorization) as response:
            assert response.status == 200
            assert response.headers["Access-Control-Allow-Origin"] == origin["Origin"]

    async def test_a_method_that_no_page_may_use(
        self, room_server: RoomServerUnderTest, http: aiohttp.ClientSession
    ) -> None:
        headers = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "PUT"}
        async with http.options(room_server.http_url, headers=headers) as response:
            assert response.status == 204
            assert "Access-Control-Allow-Origin" not in response.headers
            assert "Access-Control-Request-Method" in response.headers["Vary"]

    @pytest.mark.parametrize(
        ("path", "answer"),
        [
            ("/", (200, "OK")),
            ("/rtc", (404, "")),
            ("/rtc/validate", (401, "no permissions to access the room")),
            ("/agent", (404, "")),
            ("/none", (404, "404 page not found\n")),
        ],
    )
    async def test_options_is_a_method_like_others(
        self,
        room_server: RoomServerUnderTest,
        http: aiohttp.ClientSession,
        path: str,
        answer: tuple[int, str],
    ) -> None:
        async with http.options(room_server.http_url + path) as response:
            assert (response.status, await response.text()) == answer
            assert response.headers["Vary"] == "Origin"
