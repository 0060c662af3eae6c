"""Which codecs a client may publish, and which ones a track has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from livekit.protocol import models, rtc

from devserver.media.codecs import OPUS, RED, forwarded_as, taken, without_redundancy
from tests.devserver.published_media import heard_hertz, tone
from tests.devserver.raw_signal import RawSignal, join_request
from tests.devserver.room_events import RoomEvents

if TYPE_CHECKING:
    from tests.conftest import Join
    from tests.room_server import RoomServerUnderTest

VIDEO = ["video/VP8", "video/H264", "video/VP9", "video/AV1", "video/H265"]
AUDIO = ["audio/PCMU", "audio/PCMA", "audio/opus", "audio/red"]


def joining(**client: str) -> rtc.JoinRequest:
    request = join_request()
    for name, value in client.items():
        setattr(request.client_info, name, value)
    return request


class TestRules:
    @pytest.mark.parametrize(
        ("client", "disabled"),
        [
            ({"browser": "Chrome", "browser_version": "149.0", "os": "Linux"}, set[str]()),
            ({"browser": "Safari", "browser_version": "17.4"}, {"video/AV1"}),
            ({"browser": "Safari", "browser_version": "26.1"}, {"video/AV1", "video/VP9"}),
            ({"browser": "Firefox", "os": "Linux"}, {"video/H264"}),
            ({"browser": "Firefox", "os": "Windows"}, set[str]()),
            ({"browser": "Firefox Mobile", "os": "Android"}, {"video/H264"}),
            ({"device_model": "Xiaomi 2201117TI", "os": "Android"}, {"video/H264"}),
        ],
    )
    async def test_clients_with_faulty_codecs_do_not_publish_them(
        self,
        room_server: RoomServerUnderTest,
        room_name: str,
        client: dict[str, str],
        disabled: set[str],
    ) -> None:
        token = room_server.token("someone", room_name)
        async with RawSignal(room_server, token, joining(**client)) as signal:
            join = (await signal.next("join")).join
        enabled = [codec.mime for codec in join.enabled_publish_codecs]
        assert enabled == [mime for mime in VIDEO + AUDIO if mime not in disabled]
        rules = join.client_configuration.disabled_codecs
        assert {codec.mime for codec in (*rules.codecs, *rules.publish)} == disabled
        assert join.HasField("client_configuration") == bool(disabled)


class TestTracks:
    async def test_the_codecs_that_a_client_asks_for(
        self, room_server: RoomServerUnderTest, room_name: str
    ) -> None:
        low = models.VideoLayer(quality=models.LOW, width=320, height=180)
        high = models.VideoLayer(quality=models.HIGH, width=1280, height=720)
        request = rtc.AddTrackRequest(
            cid="mine",
            type=models.VIDEO,
            layers=[high, low],
            simulcast_codecs=[
                rtc.SimulcastCodec(codec="h264", cid="mine"),
                rtc.SimulcastCodec(codec="vp9", cid=""),
            ],
        )
        track = await announced(room_server, room_name, joining(browser="Chrome"), request)
        assert [codec.mime_type for codec in track.codecs] == ["video/h264", "video/vp9"]
        assert [codec.video_layer_mode for codec in track.codecs] == [
            models.VideoLayer.ONE_SPATIAL_LAYER_PER_STREAM,
            models.VideoLayer.MULTIPLE_SPATIAL_LAYERS_PER_STREAM,
        ]
        assert list(track.codecs[0].layers) == [low, high]
        assert track.simulcast

    async def test_a_codec_that_the_client_must_not_publish_is_replaced(
        self, room_server: RoomServerUnderTest, room_name: str
    ) -> None:
        request = rtc.AddTrackRequest(
            cid="mine",
            type=models.VIDEO,
            simulcast_codecs=[rtc.SimulcastCodec(codec="h264", cid="mine")],
        )
        client = joining(browser="Firefox", os="Linux")
        track = await announced(room_server, room_name, client, request)
        assert [codec.mime_type for codec in track.codecs] == ["video/VP8"]
        assert not track.simulcast

    async def test_one_who_names_no_codec(
        self, room_server: RoomServerUnderTest, room_name: str
    ) -> None:
        request = rtc.AddTrackRequest(cid="mine", type=models.AUDIO)
        track = await announced(room_server, room_name, joining(), request)
        assert [(codec.mime_type, codec.cid) for codec in track.codecs] == [("", "mine")]


class TestNames:
    def test_they_have_no_case(self) -> None:
        offered = [codec("audio/OPUS"), codec("audio/Red"), codec("video/vp8"), codec("audio/G722")]
        assert [each.mimeType for each in taken(offered)] == [OPUS, RED, "video/VP8"]

    @pytest.mark.parametrize("red", [RED, "audio/RED"])
    def test_an_answer_may_spell_them_otherwise(self, red: str) -> None:
        opus = codec("audio/Opus")
        assert forwarded_as(codec(red), [opus]) is opus
        assert forwarded_as(codec(OPUS), [opus]) is opus
        assert forwarded_as(codec(red), [codec("audio/PCMU")]) is None


def codec(mime_type: str) -> RTCRtpCodecParameters:
    return RTCRtpCodecParameters(mimeType=mime_type, clockRate=48_000, payloadType=111)


async def announced(
    server: RoomServerUnderTest,
    room: str,
    client: rtc.JoinRequest,
    request: rtc.AddTrackRequest,
) -> models.TrackInfo:
    """The server's word about a track that is about to be published."""
    async with RawSignal(server, server.token("someone", room), client) as signal:
        await signal.next("join")
        await signal.send(rtc.SignalRequest(add_track=request))
        return (await signal.next("track_published")).track_published.track


class TestRedundancy:
    @pytest.mark.parametrize(("red", "mime_type"), [(True, "audio/red"), (False, "audio/opus")])
    async def test_sound_with_and_without_it(self, join: Join, red: bool, mime_type: str) -> None:
        publisher, listener = await join("publisher"), await join("listener")
        events = RoomEvents(listener, "track_subscribed")
        async with tone(publisher, 450, red=red):
            track, publication, _ = await events.next("track_subscribed")
            assert publication.mime_type == mime_type
            assert await heard_hertz(track) == 450

    @pytest.mark.parametrize(
        ("payload", "newest"),
        [
            (bytes([111]) + b"new", b"new"),
            (bytes([0x80 | 111, 0, 0, 3, 111]) + b"oldnew", b"new"),
            (bytes([0x80 | 111, 0, 0, 9, 111]) + b"old", None),
            (bytes([0x80 | 111, 0]), None),
            (b"", None),
        ],
    )
    def test_the_newest_block_of_a_packet(self, payload: bytes, newest: bytes | None) -> None:
        assert without_redundancy(payload) == newest
