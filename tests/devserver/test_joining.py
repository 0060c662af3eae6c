"""Joining: the join response, and its consequences for the room."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import aiohttp
import jwt
import pytest
from livekit import api
from livekit.protocol import models, rtc
from livekit.protocol import room as room_proto

from tests.devserver.raw_peer import RawPeer
from tests.devserver.raw_signal import RawSignal, encoded, join_request

if TYPE_CHECKING:
    from tests.room_server import RoomServerUnderTest


AUDIO_CODECS = ("audio/PCMU", "audio/PCMA", "audio/opus", "audio/red")
VIDEO_CODECS = ("video/VP8", "video/H264", "video/VP9", "video/AV1", "video/H265")


class TestJoin:
    async def test_the_join_response(
        self, room_server: RoomServerUnderTest, room_name: str
    ) -> None:
        token = (
            room_server.access_token("someone", room_name, can_publish_sources=["camera"])
            .with_name("Some One")
            .with_metadata("about me")
            .with_attributes({"key": "value"})
            .to_jwt()
        )
        request = join_request(client_protocol=2)
        async with RawSignal(room_server, token, request) as signal:
            join = (await signal.next("join")).join
        assert join.room.name == room_name
        assert join.room.sid.startswith("RM_")
        assert (join.room.empty_timeout, join.room.departure_timeout) == (300, 20)
        assert join.participant.sid.startswith("PA_")
        assert join.participant.identity == "someone"
        assert join.participant.name == "Some One"
        assert join.participant.metadata == "about me"
        assert dict(join.participant.attributes) == {"key": "value"}
        assert join.participant.state == models.ParticipantInfo.JOINING
        assert join.participant.kind == models.ParticipantInfo.STANDARD
        assert join.participant.client_protocol == 2
        assert join.participant.permission == models.ParticipantPermission(
            can_publish=True,
            can_subscribe=True,
            can_publish_data=True,
            can_publish_sources=[models.CAMERA],
        )
        assert join.participant.joined_at_ms // 1000 == join.participant.joined_at
        assert not join.subscriber_primary
        assert join.fast_publish
        assert (join.ping_interval, join.ping_timeout) == (5, 15)
        assert join.server_version == join.server_info.version
        assert join.sif_trailer
        assert join.participant.version == 0
        codecs = [codec.mime for codec in join.room.enabled_codecs]
        assert codecs == [*AUDIO_CODECS, *VIDEO_CODECS, "video/rtx"]
        offered = [codec.mime for codec in join.enabled_publish_codecs]
        # The embedded server offers neither AV1 nor H265.
        missing = set(VIDEO_CODECS[3:]) - set(offered)
        assert offered == [c for c in (*VIDEO_CODECS, *AUDIO_CODECS) if c not in missing]

    async def test_without_publish_grant_there_is_no_fast_publish_and_no_data(
        self, room_server: RoomServerUnderTest, room_name: str
    ) -> None:
        claims = {
            "iss": room_server.api_key,
            "sub": "someone",
            "exp": int(time.time()) + 60,
            "video": {"roomJoin": True, "room": room_name, "canPublish": False},
        }
        token = jwt.encode(claims, room_server.api_secret, algorithm="HS256")
        async with RawSignal(room_server, token) as signal:
            join = (await signal.next("join")).join
        assert not join.fast_publish
        permission = join.participant.permission
        assert (permission.can_publish, permission.can_publish_data) == (False, False)
        assert permission.can_subscribe

    async def test_uncompressed_and_with_metadata(
        self, room_server: RoomServerUnderTest, http: aiohttp.ClientSession, room_name: str
    ) -> None:
        token = (
            room_server.access_token("someone", room_name, can_update_own_metadata=True)
            .with_attributes({"from": "token", "both": "token"})
            .to_jwt()
        )
        request = join_request(
            metadata="mine", participant_attributes={"both": "request", "empty": ""}
        )
        params = {"access_token": token, "join_request": encoded(request, compressed=False)}
        async with http.ws_connect(f"{room_server.http_url}/rtc/v1", params=params) as socket:
            join = rtc.SignalResponse.FromString(await socket.receive_bytes()).join
        assert join.participant.metadata == "mine"
        assert dict(join.participant.attributes) == {"from": "token", "both": "request"}

    async def test_the_room_as_the_token_configures_it(
        self, room_server: RoomServerUnderTest, room_name: str
    ) -> None:
        config = room_proto.RoomConfiguration(
            empty_timeout=7, departure_timeout=8, max_participants=1, metadata="room data"
        )
        token = room_server.access_token("first", room_name).with_room_config(config).to_jwt()
        async with RawSignal(room_server, token) as signal:
            room = (await signal.next("join")).join.room
            assert (room.empty_timeout, room.departure_timeout) == (7, 8)
            assert (room.max_participants, room.metadata) == (1, "room data")

    async def test_a_full_room(self, room_server: RoomServerUnderTest, room_name: str) -> None:
        config = room_proto.RoomConfiguration(max_participants=1)
        token = room_server.access_token("first", room_name).with_room_config(config).to_jwt()
        async with RawSignal(room_server, token) as signal:
            await signal.next("join")
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                async with RawSignal(room_server, room_server.token("second", room_name)):
                    pass
            assert refused.value.status == 500
            agent = room_server.access_token("agent", room_name, agent=True).with_kind("agent")
            async with RawSignal(room_server, agent.to_jwt()) as second:
                await second.next("join")

    async def test_others_are_notified_at_once(
        self, room_server: RoomServerUnderTest, room_name: str
    ) -> None:
        async with RawSignal(room_server, room_server.token("first", room_name)) as first:
            await first.next("join")
            async with RawSignal(room_server, room_server.token("second", room_name)) as second:
                join = (await second.next("join")).join
        assert [other.identity for other in join.other_participants] == ["first"]

    async def test_hidden_ones_are_not_shown(
        self, room_server: RoomServerUnderTest, room_name: str
    ) -> None:
        hidden = room_server.token("first", room_name, hidden=True)
        async with RawSignal(room_server, hidden) as first:
            await first.next("join")
            async with RawSignal(room_server, room_server.token("second", room_name)) as second:
                join = (await second.next("join")).join
        assert not join.other_participants

    async def test_a_token_to_come_back_with(
        self, room_server: RoomServerUnderTest, room_name: str
    ) -> None:
        token = room_server.access_token("someone", room_name).with_name("Some One").to_jwt()
        async with RawSignal(room_server, token) as signal:
            refreshed = (await signal.next("refresh_token")).refresh_token
        claims = api.TokenVerifier(room_server.api_key, room_server.api_secret).verify(refreshed)
        assert (claims.identity, claims.name) == ("someone", "Some One")
        assert claims.video is not None
        assert (claims.video.room_join, claims.video.room) == (True, room_name)
        assert jwt.decode(refreshed, options={"verify_signature": False})["exp"] > time.time() + 60

    async def test_room_info_shows_a_recorder(
        self, room_server: RoomServerUnderTest, room_name: str
    ) -> None:
        token = room_server.access_token("recorder", room_name).with_kind("egress").to_jwt()
        async with RawSignal(room_server, token) as signal:
            assert (await signal.next("room_update")).room_update.room.active_recording

    async def test_a_session_is_resumed_by_its_identity(
        self, room_server: RoomServerUnderTest, room_name: str
    ) -> None:
        token = room_server.token("someone", room_name)
        async with RawPeer(room_server, token):
            request = join_request(reconnect=True, participant_sid="PA_unknown")
            async with RawSignal(room_server, token, request) as signal:
                await signal.next("reconnect")

    async def test_a_client_that_resumes_without_a_session_joins_again(
        self, room_server: RoomServerUnderTest, room_name: str
    ) -> None:
        request = join_request(reconnect=True, participant_sid="PA_unknown")
        token = room_server.token("someone", room_name)
        async with RawSignal(room_server, token, request) as signal:
            leave = (await signal.next("leave")).leave
        assert leave.action == rtc.LeaveRequest.RECONNECT
        assert leave.reason == models.DisconnectReason.STATE_MISMATCH
