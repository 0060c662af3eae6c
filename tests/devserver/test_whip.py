"""WHIP: a publisher without a signal connection joins by one request, as OBS does."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from aiortc import (
    AudioStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
    VideoStreamTrack,
)
from livekit import rtc

from tests.devserver.room_events import RoomEvents

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import aiohttp

    from tests.conftest import Join
    from tests.room_server import RoomServerUnderTest

SDP = {"Content-Type": "application/sdp"}
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}
NOBODY = {"error": "no permissions to access the room"}
DENIED = {"error": "permissions denied"}


@contextlib.asynccontextmanager
async def offering() -> AsyncGenerator[tuple[RTCPeerConnection, str]]:
    """A peer connection with sound and a picture, and its offer."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    for track in (AudioStreamTrack(), VideoStreamTrack()):
        connection.addTransceiver(track, direction="sendonly")
    await connection.setLocalDescription(await connection.createOffer())
    try:
        yield connection, connection.localDescription.sdp
    finally:
        await connection.close()


class TestSession:
    async def test_others_get_what_a_session_publishes_until_it_ends(
        self,
        room_server: RoomServerUnderTest,
        room_name: str,
        join: Join,
        http: aiohttp.ClientSession,
    ) -> None:
        viewer = await join("viewer")
        events = RoomEvents(viewer, "track_subscribed", "participant_disconnected")
        token = room_server.token("obs", room_name)
        headers = {"Authorization": f"Bearer {token}"}
        async with offering() as (connection, offer):
            async with http.post(
                f"{room_server.http_url}/whip/v1", data=offer, headers=headers | SDP
            ) as response:
                answer = await response.text()
                assert response.status == 201, answer
                assert response.headers["Content-Type"] == "application/sdp"
                session = response.headers["Location"]
                ufrag = response.headers["ETag"]
            assert f"a=ice-ufrag:{ufrag}\r\n" in answer
            await connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
            seen: dict[str, rtc.TrackKind.ValueType] = {}
            while len(seen) < 2:
                track, publication, who = await events.next("track_subscribed")
                assert session == f"/whip/v1/{who.sid}"
                seen[publication.name] = track.kind
            assert seen == {
                "synthesized-microphone": rtc.TrackKind.KIND_AUDIO,
                "synthesized-camera": rtc.TrackKind.KIND_VIDEO,
            }
            async with http.delete(room_server.http_url + session, headers=headers) as response:
                assert (response.status, await response.text()) == (200, "")
            (who,) = await events.next("participant_disconnected")
            assert who.identity == "obs"

    async def test_candidates_come_later(
        self, room_server: RoomServerUnderTest, room_name: str, http: aiohttp.ClientSession
    ) -> None:
        headers = {"Authorization": f"Bearer {room_server.token('obs', room_name)}"}
        async with offering() as (connection, offer):
            lines = offer.splitlines(keepends=True)
            candidates = [line for line in lines if line.startswith("a=candidate")]
            bare = "".join(line for line in lines if line not in candidates)
            async with http.post(
                f"{room_server.http_url}/whip/v1", data=bare, headers=headers | SDP
            ) as response:
                answer = await response.text()
                session = room_server.http_url + response.headers["Location"]
                ufrag = response.headers["ETag"]
            await connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
            credentials = [line for line in lines if line.startswith("a=ice-")][:2]
            fragment = "".join(
                [*credentials, "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n", "a=mid:0\r\n", *candidates[:1]]
            )

            async def patch(match: str, body: str) -> tuple[int, Any]:
                more = FRAGMENT | ({"If-Match": match} if match else {})
                async with http.patch(session, data=body, headers=headers | more) as response:
                    return response.status, await response.text() and await response.json(
                        content_type=None
                    )

            assert await patch(ufrag, fragment) == (204, "")
            assert await patch("", fragment) == (428, {"error": "missing entity tag"})
            assert await patch(ufrag, "nonsense") == (400, {"error": "invalid sdp fragment"})
            assert await patch("other", fragment) == (
                500,
                {"error": f"ice session mismatch, expected: {ufrag}, got: other"},
            )


class TestRefusals:
    @pytest.mark.parametrize(
        ("content_type", "grants", "body", "answer"),
        [
            ("text/plain", {}, "v=0", (400, {"error": "unsupported content-type: text/plain"})),
            ("application/sdp", None, "v=0", (401, NOBODY)),
            ("application/sdp", {"room_join": False}, "v=0", (401, DENIED)),
            ("application/sdp", {}, "", (400, {"error": "body does not have SDP offer"})),
        ],
    )
    async def test_a_session_is_refused(
        self,
        room_server: RoomServerUnderTest,
        room_name: str,
        http: aiohttp.ClientSession,
        content_type: str,
        grants: dict[str, Any] | None,
        body: str,
        answer: tuple[int, Any],
    ) -> None:
        headers = {"Content-Type": content_type}
        if grants is not None:
            headers["Authorization"] = f"Bearer {room_server.token('obs', room_name, **grants)}"
        url = f"{room_server.http_url}/whip/v1"
        async with http.post(url, data=body.encode(), headers=headers) as response:
            assert (response.status, await response.json(content_type=None)) == answer

    @pytest.mark.parametrize("offer", ["nonsense", "v=0", "v=1\r\n"])
    async def test_an_offer_that_is_none(
        self,
        room_server: RoomServerUnderTest,
        room_name: str,
        http: aiohttp.ClientSession,
        offer: str,
    ) -> None:
        headers = {"Authorization": f"Bearer {room_server.token('obs', room_name)}"} | SDP
        url = f"{room_server.http_url}/whip/v1"
        async with http.post(url, data=offer.encode(), headers=headers) as response:
            assert response.status == 400
            error = (await response.json(content_type=None))["error"]
            assert error.startswith("malformed SDP offer: failed to unmarshal SDP: ")

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/whip/v1", 204),
            ("OPTIONS", "/whip/v1", 200),
            ("GET", "/whip/v1/PA_none", 204),
            ("PUT", "/whip/v1", 404),
            ("GET", "/whip", 404),
            ("DELETE", "/whip/v1/PA_none", 401),
        ],
    )
    async def test_other_methods(
        self,
        room_server: RoomServerUnderTest,
        http: aiohttp.ClientSession,
        method: str,
        path: str,
        status: int,
    ) -> None:
        async with http.request(method, room_server.http_url + path) as response:
            assert response.status == status

    @pytest.mark.parametrize(("method", "status"), [("DELETE", 404), ("PATCH", 500)])
    async def test_a_session_that_is_not_there(
        self,
        room_server: RoomServerUnderTest,
        room_name: str,
        http: aiohttp.ClientSession,
        method: str,
        status: int,
    ) -> None:
        headers = FRAGMENT | {"If-Match": "x"}
        headers["Authorization"] = f"Bearer {room_server.token('obs', room_name)}"
        url = f"{room_server.http_url}/whip/v1/PA_none"
        async with http.request(method, url, headers=headers, data=b"x") as response:
            answer = await response.json(content_type=None)
            assert (response.status, answer) == (status, {"error": "no response from servers"})
