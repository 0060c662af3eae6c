"""The signal connection: requests and answers, and how sessions end."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from google.protobuf import json_format
from livekit import api
from livekit import rtc as client
from livekit.protocol import models, rtc

from tests.devserver.raw_signal import WITHIN, RawSignal
from tests.devserver.room_events import RoomEvents

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.conftest import Join
    from tests.room_server import RoomServerUnderTest


@pytest.fixture
async def signal(room_server: RoomServerUnderTest, room_name: str) -> AsyncGenerator[RawSignal]:
    token = room_server.token("someone", room_name, can_publish_sources=["microphone"])
    async with RawSignal(room_server, token) as connection:
        await connection.next("join")
        yield connection


class TestRequests:
    async def test_pings(self, signal: RawSignal) -> None:
        await signal.send(rtc.SignalRequest(ping=1))
        now = time.time() * 1000
        assert abs((await signal.next("pong")).pong - now) < 5000
        await signal.send(rtc.SignalRequest(ping_req=rtc.Ping(timestamp=4711, rtt=3)))
        pong = (await signal.next("pong_resp")).pong_resp
        assert pong.last_ping_timestamp == 4711
        assert abs(pong.timestamp - now) < 5000

    async def test_json_requests_get_json_responses(self, signal: RawSignal) -> None:
        await signal.socket.send_str('{"ping": "1"}')
        async with asyncio.timeout(WITHIN):
            while (message := await signal.socket.receive()).type.name == "BINARY":
                pass
        assert json_format.Parse(message.data, rtc.SignalResponse()).pong > 0
        await signal.send(rtc.SignalRequest(ping=1))
        await signal.next("pong")

    @pytest.mark.parametrize("garbage", [b"\xff\xff\xff", "no json"])
    async def test_garbage_ends_the_connection(
        self, signal: RawSignal, garbage: bytes | str
    ) -> None:
        if isinstance(garbage, bytes):
            await signal.socket.send_bytes(garbage)
        else:
            await signal.socket.send_str(garbage)
        await signal.closed()

    async def test_garbage_disturbs_nobody_else(
        self, room_server: RoomServerUnderTest, room_name: str, join: Join
    ) -> None:
        other = await join("other")
        events = RoomEvents(other, "participant_connected", "participant_disconnected")
        async with RawSignal(room_server, room_server.token("someone", room_name)) as signal:
            await signal.next("join")
            await events.next("participant_connected")
            await signal.socket.send_bytes(b"\xff\xff\xff")
            await signal.closed()
        (gone,) = await events.next("participant_disconnected")
        assert gone.identity == "someone"
        assert other.connection_state == client.ConnectionState.CONN_CONNECTED

    async def test_a_garbled_candidate_is_answered(self, signal: RawSignal) -> None:
        trickle = rtc.TrickleRequest(candidateInit="garbage")
        await signal.send(rtc.SignalRequest(trickle=trickle))
        response = (await signal.next("request_response")).request_response
        assert response.reason == rtc.RequestResponse.UNCLASSIFIED_ERROR
        assert response.trickle == trickle
        unusable = rtc.TrickleRequest(candidateInit='{"candidate": "candidate:1 1 udp x y"}')
        await signal.send(rtc.SignalRequest(trickle=unusable))
        await signal.send(rtc.SignalRequest(trickle=rtc.TrickleRequest(candidateInit="{}")))
        await signal.send(rtc.SignalRequest(ping=1))
        assert "request_response" not in await signal.kinds_until("pong")

    async def test_an_offer_that_is_none_is_ignored(self, signal: RawSignal) -> None:
        offer = rtc.SessionDescription(type="offer", sdp="nonsense", id=1)
        await signal.send(rtc.SignalRequest(offer=offer))
        await signal.send(rtc.SignalRequest(ping=1))
        await signal.next("pong")

    @pytest.mark.parametrize(
        "media",
        ["", "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=recvonly\r\n"],
    )
    async def test_a_client_with_an_impossible_offer_joins_again(
        self, signal: RawSignal, media: str
    ) -> None:
        sdp = f"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n{media}"
        offer = rtc.SessionDescription(type="offer", sdp=sdp, id=1)
        await signal.send(rtc.SignalRequest(offer=offer))
        leave = (await signal.next("leave")).leave
        assert leave.reason == models.DisconnectReason.STATE_MISMATCH
        assert leave.action == rtc.LeaveRequest.RECONNECT
        await signal.closed()

    async def test_an_empty_request_is_ignored(self, signal: RawSignal) -> None:
        await signal.socket.send_bytes(b"")
        await signal.send(rtc.SignalRequest(ping=1))
        await signal.next("pong")

    @pytest.mark.parametrize(
        ("add_track", "reason"),
        [
            (
                rtc.AddTrackRequest(cid="mine", source=models.CAMERA, type=models.VIDEO),
                rtc.RequestResponse.NOT_ALLOWED,
            ),
            (
                rtc.AddTrackRequest(cid="mine", source=models.MICROPHONE, type=models.DATA),
                rtc.RequestResponse.UNSUPPORTED_TYPE,
            ),
            (
                rtc.AddTrackRequest(
                    cid="mine", sid="TR_x", source=models.MICROPHONE, type=models.AUDIO
                ),
                rtc.RequestResponse.NOT_FOUND,
            ),
        ],
    )
    async def test_a_track_that_is_refused(
        self,
        signal: RawSignal,
        add_track: rtc.AddTrackRequest,
        reason: rtc.RequestResponse.Reason,
    ) -> None:
        await signal.send(rtc.SignalRequest(add_track=add_track))
        response = (await signal.next("request_response")).request_response
        assert (response.reason, response.add_track) == (reason, add_track)

    async def test_a_track_that_is_taken(self, signal: RawSignal) -> None:
        request = rtc.AddTrackRequest(
            cid="mine",
            name="voice",
            source=models.MICROPHONE,
            type=models.AUDIO,
            muted=True,
            stereo=True,
            disable_dtx=True,
        )
        await signal.send(rtc.SignalRequest(add_track=request))
        published = (await signal.next("track_published")).track_published
        assert published.cid == "mine"
        track = published.track
        assert track.sid.startswith("TR_AM")
        assert (track.stream, track.disable_red) == ("camera", False)
        assert track.backup_codec_policy == models.SIMULCAST
        assert list(track.audio_features) == [
            models.AudioTrackFeature.TF_STEREO,
            models.AudioTrackFeature.TF_NO_DTX,
        ]
        assert (track.name, track.source, track.muted) == ("voice", models.MICROPHONE, True)

    async def test_a_second_track_of_a_cid_waits(self, signal: RawSignal) -> None:
        request = rtc.AddTrackRequest(cid="mine", source=models.MICROPHONE, type=models.AUDIO)
        for _ in range(2):
            await signal.send(rtc.SignalRequest(add_track=request))
        await signal.next("track_published")
        response = (await signal.next("request_response")).request_response
        assert (response.reason, response.add_track) == (rtc.RequestResponse.QUEUED, request)

    async def test_muting_what_does_not_exist(self, signal: RawSignal) -> None:
        request = rtc.MuteTrackRequest(sid="TR_unknown", muted=True)
        await signal.send(rtc.SignalRequest(mute=request))
        response = (await signal.next("request_response")).request_response
        assert response.reason == rtc.RequestResponse.NOT_FOUND
        assert response.mute == request

    async def test_updating_a_track_that_does_not_exist(self, signal: RawSignal) -> None:
        audio = rtc.UpdateLocalAudioTrack(track_sid="TR_unknown")
        await signal.send(rtc.SignalRequest(update_audio_track=audio))
        response = (await signal.next("request_response")).request_response
        assert response.reason == rtc.RequestResponse.NOT_FOUND
        assert response.update_audio_track == audio
        video = rtc.UpdateLocalVideoTrack(track_sid="TR_unknown")
        await signal.send(rtc.SignalRequest(update_video_track=video))
        response = (await signal.next("request_response")).request_response
        assert response.reason == rtc.RequestResponse.NOT_FOUND
        assert response.update_video_track == video

    @pytest.mark.parametrize(
        ("request_", "reason", "message"),
        [
            (
                rtc.SignalRequest(store_data_blob_request=rtc.StoreDataBlobRequest(request_id=5)),
                rtc.RequestResponse.NOT_ALLOWED,
                "data blob not enabled",
            ),
            (
                rtc.SignalRequest(get_data_blob_request=rtc.GetDataBlobRequest(request_id=5)),
                rtc.RequestResponse.INVALID_REQUEST,
                "data blob key is required",
            ),
            (
                rtc.SignalRequest(
                    get_data_blob_request=rtc.GetDataBlobRequest(
                        request_id=5, participant_identity="nobody", key=models.DataBlobKey()
                    )
                ),
                rtc.RequestResponse.NOT_FOUND,
                "participant not found",
            ),
            (
                rtc.SignalRequest(
                    get_data_blob_request=rtc.GetDataBlobRequest(
                        request_id=5, participant_identity="someone", key=models.DataBlobKey()
                    )
                ),
                rtc.RequestResponse.NOT_FOUND,
                "data blob not found",
            ),
        ],
    )
    async def test_there_are_no_data_blobs(
        self,
        signal: RawSignal,
        request_: rtc.SignalRequest,
        reason: rtc.RequestResponse.Reason,
        message: str,
    ) -> None:
        await signal.send(request_)
        response = (await signal.next("request_response")).request_response
        assert (response.request_id, response.reason, response.message) == (5, reason, message)

    async def test_name_metadata_and_attributes_are_sent_one_after_the_other(
        self, room_server: RoomServerUnderTest, room_name: str
    ) -> None:
        token = room_server.token("someone", room_name, can_update_own_metadata=True)
        async with RawSignal(room_server, token) as signal:
            await signal.next("join")
            update = rtc.UpdateParticipantMetadata(
                name="N", metadata="M", attributes={"key": "value"}, request_id=1
            )
            await signal.send(rtc.SignalRequest(update_metadata=update))
            told: list[tuple[str, str, dict[str, str]]] = []
            while len(told) < 3:
                for info in (await signal.next("update")).update.participants:
                    if info.name:
                        told.append((info.name, info.metadata, dict(info.attributes)))
            assert told == [("N", "", {}), ("N", "M", {}), ("N", "M", {"key": "value"})]

    async def test_the_attribute_limit_applies_to_the_update_alone(
        self, room_server: RoomServerUnderTest, room_name: str
    ) -> None:
        token = room_server.token("someone", room_name, can_update_own_metadata=True)
        async with RawSignal(room_server, token) as signal:
            for key in ("one", "two"):
                update = rtc.UpdateParticipantMetadata(attributes={key: "x" * 40_000})
                await signal.send(rtc.SignalRequest(update_metadata=update))
                assert not (await signal.next("request_response")).request_response.reason

    async def test_own_metadata_is_refused_without_the_grant(self, signal: RawSignal) -> None:
        request = rtc.UpdateParticipantMetadata(request_id=7, metadata="mine")
        await signal.send(rtc.SignalRequest(update_metadata=request))
        response = (await signal.next("request_response")).request_response
        assert response.request_id == 7
        assert response.reason == rtc.RequestResponse.NOT_ALLOWED
        assert response.message == "does not have permission to update own metadata"
        assert response.update_metadata == request

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"name": "x" * 257}, "exceeds name length limit"),
            ({"name": "ä" * 129}, "exceeds name length limit"),
            ({"metadata": "x" * (512 * 1024 + 1)}, "exceeds metadata size limit"),
            ({"attributes": {"key": "x" * 65_536}}, "exceeds attributes size limit"),
            ({"metadata": "mine"}, ""),
        ],
    )
    async def test_own_metadata_has_limits(
        self,
        room_server: RoomServerUnderTest,
        room_name: str,
        fields: dict[str, object],
        message: str,
    ) -> None:
        token = room_server.token("someone", room_name, can_update_own_metadata=True)
        async with RawSignal(room_server, token) as signal:
            await signal.next("join")
            request = json_format.ParseDict(
                {"request_id": 7, **fields}, rtc.UpdateParticipantMetadata()
            )
            await signal.send(rtc.SignalRequest(update_metadata=request))
            response = (await signal.next("request_response")).request_response
        assert response.message == message
        assert response.reason == (
            rtc.RequestResponse.LIMIT_EXCEEDED if message else rtc.RequestResponse.OK
        )


class TestEnds:
    async def test_others_see_one_leave(self, join: Join) -> None:
        leaves, stays = await join("leaves"), await join("stays")
        events = RoomEvents(stays, "participant_disconnected")
        await leaves.disconnect()
        (gone,) = await events.next("participant_disconnected")
        assert gone.identity == "leaves"
        assert gone.disconnect_reason == client.DisconnectReason.CLIENT_INITIATED

    async def test_a_second_session_of_an_identity_disconnects_the_first(self, join: Join) -> None:
        former, witness = await join("someone"), await join("witness")
        own = RoomEvents(former, "disconnected")
        seen = RoomEvents(witness, "participant_connected", "participant_disconnected")
        again = await join("someone")
        (reason,) = await own.next("disconnected")
        assert reason == client.DisconnectReason.DUPLICATE_IDENTITY
        (back,) = await seen.next("participant_connected")
        assert back.sid == again.local_participant.sid
        await again.local_participant.publish_data(b"here")
        assert set(witness.remote_participants) == {"someone"}

    async def test_a_removed_participant_is_notified(
        self, join: Join, lk_api: api.LiveKitAPI, room_name: str
    ) -> None:
        someone, witness = await join("someone"), await join("witness")
        own = RoomEvents(someone, "disconnected")
        seen = RoomEvents(witness, "participant_disconnected")
        await lk_api.room.remove_participant(
            api.RoomParticipantIdentity(room=room_name, identity="someone")
        )
        (reason,) = await own.next("disconnected")
        assert reason == client.DisconnectReason.PARTICIPANT_REMOVED
        (gone,) = await seen.next("participant_disconnected")
        assert gone.disconnect_reason == client.DisconnectReason.PARTICIPANT_REMOVED

    async def test_one_without_media_is_gone_with_its_signal(
        self, room_server: RoomServerUnderTest, room_name: str, join: Join
    ) -> None:
        witness = await join("witness")
        seen = RoomEvents(witness, "participant_connected", "participant_disconnected")
        async with RawSignal(room_server, room_server.token("brief", room_name)) as signal:
            await signal.next("join")
            await seen.next("participant_connected")
        (gone,) = await seen.next("participant_disconnected")
        assert gone.identity == "brief"

    async def test_a_leave_request_is_answered(
        self, room_server: RoomServerUnderTest, room_name: str
    ) -> None:
        async with RawSignal(room_server, room_server.token("someone", room_name)) as signal:
            await signal.next("join")
            await signal.send(
                rtc.SignalRequest(
                    leave=rtc.LeaveRequest(reason=models.DisconnectReason.CLIENT_INITIATED)
                )
            )
            leave = (await signal.next("leave")).leave
            assert leave.reason == models.DisconnectReason.CLIENT_INITIATED
            assert leave.action == rtc.LeaveRequest.DISCONNECT
            await signal.closed()

    @pytest.mark.parametrize(
        ("scenario", "reason"),
        [
            ("node_failure", models.DisconnectReason.SERVER_SHUTDOWN),
            ("migration", models.DisconnectReason.MIGRATION),
        ],
    )
    async def test_simulating_a_failure_drops_the_client_silently(
        self,
        room_server: RoomServerUnderTest,
        room_name: str,
        join: Join,
        scenario: str,
        reason: models.DisconnectReason,
    ) -> None:
        witness = await join("witness")
        seen = RoomEvents(witness, "participant_connected", "participant_disconnected")
        async with RawSignal(room_server, room_server.token("someone", room_name)) as signal:
            await signal.next("join")
            await seen.next("participant_connected")
            simulate = rtc.SimulateScenario(**{scenario: True})  # pyright: ignore[reportArgumentType]
            await signal.send(rtc.SignalRequest(simulate=simulate))
            await signal.closed()
        (gone,) = await seen.next("participant_disconnected")
        assert gone.disconnect_reason == reason

    async def test_simulating_a_leaving_server_sends_the_client_away(
        self, room_server: RoomServerUnderTest, room_name: str
    ) -> None:
        async with RawSignal(room_server, room_server.token("someone", room_name)) as signal:
            await signal.next("join")
            await signal.send(rtc.SignalRequest(simulate=rtc.SimulateScenario(server_leave=True)))
            leave = (await signal.next("leave")).leave
            assert leave.reason == models.DisconnectReason.SERVER_SHUTDOWN
            assert leave.action == rtc.LeaveRequest.DISCONNECT
            await signal.closed()
