"""Data tracks: published, subscribed to, forwarded, and refused."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from livekit import api, rtc
from livekit.protocol import rtc as signal

from devserver.data.data_track_frame import handle_of, with_handle
from tests.devserver.raw_signal import RawSignal
from tests.devserver.room_events import WITHIN, RoomEvents

if TYPE_CHECKING:
    from tests.conftest import Join
    from tests.room_server import RoomServerUnderTest


async def published(events: RoomEvents) -> rtc.RemoteDataTrack:
    (track,) = await events.next("data_track_published")
    return track


async def frames(track: rtc.RemoteDataTrack, pushing: rtc.LocalDataTrack) -> bytes:
    """The first frame that arrives while frames are pushed; they may be lost until it flows."""
    stream = track.subscribe()
    async with asyncio.timeout(WITHIN):
        first = asyncio.ensure_future(anext(stream))
        while not first.done():
            pushing.try_push(rtc.DataTrackFrame(payload=b"x" * 20_000, user_timestamp=5))
            await asyncio.wait([first], timeout=0.05)
        frame = await first
    assert frame.user_timestamp == 5
    await stream.aclose()
    return frame.payload


class TestDataTracks:
    async def test_frames_reach_a_subscriber(self, join: Join) -> None:
        heard = RoomEvents(await join("reader"), "data_track_published", "data_track_unpublished")
        writer = await join("writer")
        track = await writer.local_participant.publish_data_track(name="positions")
        remote = await published(heard)
        assert (remote.info.name, remote.publisher_identity) == ("positions", "writer")
        assert remote.info.sid.startswith("DTR_")
        assert await frames(remote, track) == b"x" * 20_000
        await track.unpublish()
        (sid,) = await heard.next("data_track_unpublished")
        assert sid == remote.info.sid

    async def test_a_newcomer_finds_the_track(self, join: Join) -> None:
        writer = await join("writer")
        track = await writer.local_participant.publish_data_track(name="positions")
        found: list[RoomEvents] = []
        await join(
            "late",
            prepare=lambda room: found.append(RoomEvents(room, "data_track_published")),
        )
        assert await frames(await published(found[0]), track) == b"x" * 20_000

    async def test_publishing_one_counts_as_a_publisher(
        self, join: Join, lk_api: api.LiveKitAPI, room_name: str
    ) -> None:
        writer = await join("writer")
        track = await writer.local_participant.publish_data_track(name="positions")
        who = api.RoomParticipantIdentity(room=room_name, identity="writer")
        info = await lk_api.room.get_participant(who)
        assert info.is_publisher
        assert [each.name for each in info.data_tracks] == ["positions"]
        assert track.is_published()  # It is until the last reference to it is gone.

    async def test_a_reader_whose_permission_goes_reads_no_more(
        self, join: Join, lk_api: api.LiveKitAPI, room_name: str
    ) -> None:
        events = RoomEvents(await join("reader"), "data_track_published", "data_track_unpublished")
        writer = await join("writer")
        track = await writer.local_participant.publish_data_track(name="positions")
        remote = await published(events)
        request = api.UpdateParticipantRequest(
            room=room_name,
            identity="writer",
            permission=api.ParticipantPermission(can_subscribe=True, can_publish=True),
        )
        await lk_api.room.update_participant(request)
        (sid,) = await events.next("data_track_unpublished")
        assert sid == remote.info.sid == track.info.sid


def publish(handle: int, name: str, encoding: str | None = None) -> signal.SignalRequest:
    request = signal.PublishDataTrackRequest(pub_handle=handle, name=name)
    if encoding is not None:
        request.frame_encoding.custom = encoding
    return signal.SignalRequest(publish_data_track_request=request)


class TestRefusals:
    @pytest.mark.parametrize(
        ("request_", "reason", "message"),
        [
            (publish(0, "a"), "INVALID_HANDLE", "handle should be > 0 AND < 65536"),
            (publish(65536, "a"), "INVALID_HANDLE", "handle should be > 0 AND < 65536"),
            (
                publish(2, ""),
                "INVALID_NAME",
                "name should not be empty and should not exceed 256 characters",
            ),
            (
                publish(2, "n" * 257),
                "INVALID_NAME",
                "name should not be empty and should not exceed 256 characters",
            ),
            (
                publish(2, "a", ""),
                "INVALID_REQUEST",
                "encoding identifier is empty or exceeds the maximum length",
            ),
            (
                publish(2, "a", "e" * 33),
                "INVALID_REQUEST",
                "encoding identifier is empty or exceeds the maximum length",
            ),
            (publish(1, "b"), "DUPLICATE_HANDLE", "a data track with same handle already exists"),
            (publish(2, "first"), "DUPLICATE_NAME", "a data track with same name already exists"),
        ],
    )
    async def test_of_a_track(
        self,
        room_server: RoomServerUnderTest,
        room_name: str,
        request_: signal.SignalRequest,
        reason: str,
        message: str,
    ) -> None:
        async with RawSignal(room_server, room_server.token("writer", room_name)) as client:
            await client.send(publish(1, "first", "e" * 32))
            info = (await client.next("publish_data_track_response")).publish_data_track_response
            assert (info.info.pub_handle, info.info.name) == (1, "first")
            await client.send(request_)
            refused = (await client.next("request_response")).request_response
            assert signal.RequestResponse.Reason.Name(refused.reason) == reason
            assert refused.message == message
            assert refused.publish_data_track == request_.publish_data_track_request

    async def test_of_a_participant_without_the_right_to_publish_data(
        self, room_server: RoomServerUnderTest, room_name: str
    ) -> None:
        token = room_server.token("reader", room_name, can_publish_data=False)
        async with RawSignal(room_server, token) as client:
            await client.send(publish(1, "first"))
            refused = (await client.next("request_response")).request_response
            assert refused.reason == signal.RequestResponse.NOT_ALLOWED
            assert refused.message == "does not have permission to publish data"

    async def test_of_ending_a_track_that_is_not_there(
        self, room_server: RoomServerUnderTest, room_name: str
    ) -> None:
        async with RawSignal(room_server, room_server.token("writer", room_name)) as client:
            request = signal.UnpublishDataTrackRequest(pub_handle=7)
            await client.send(signal.SignalRequest(unpublish_data_track_request=request))
            refused = (await client.next("request_response")).request_response
            assert refused.reason == signal.RequestResponse.NOT_FOUND
            assert refused.unpublish_data_track == request

    async def test_an_ended_track_is_confirmed(
        self, room_server: RoomServerUnderTest, room_name: str
    ) -> None:
        async with RawSignal(room_server, room_server.token("writer", room_name)) as client:
            await client.send(publish(7, "first"))
            begun = (await client.next("publish_data_track_response")).publish_data_track_response
            request = signal.UnpublishDataTrackRequest(pub_handle=7)
            await client.send(signal.SignalRequest(unpublish_data_track_request=request))
            ended = await client.next("unpublish_data_track_response")
            assert ended.unpublish_data_track_response.info == begun.info


PLAIN = bytes.fromhex("18 00 0007 0001 0002 00000003") + b"payload"
EXTENDED = bytes.fromhex("1c 00 0007 0001 0002 00000003 0001 0102 aabb 0000") + b"payload"


@pytest.mark.parametrize("frame", [PLAIN, EXTENDED, PLAIN[:12]])
def test_a_frame_changes_its_handle_alone(frame: bytes) -> None:
    assert handle_of(frame) == 7
    changed = with_handle(frame, 0x1234)
    assert handle_of(changed) == 0x1234
    assert (changed[:2], changed[4:]) == (frame[:2], frame[4:])


@pytest.mark.parametrize(
    "frame",
    [b"", PLAIN[:11], EXTENDED[:13], EXTENDED[:16], EXTENDED[:15] + b"\xff" + EXTENDED[16:]],
)
def test_a_non_frame_has_no_handle(frame: bytes) -> None:
    assert handle_of(frame) is None
