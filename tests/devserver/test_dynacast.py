"""Dynacast: a publisher learns which layers somebody watches, and may stop sending the others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from livekit import rtc as sdk
from livekit.protocol import models, rtc

from devserver.media.dynacast import Dynacast, quality_of
from tests.devserver.raw_peer import RawPeer
from tests.devserver.room_events import RoomEvents

if TYPE_CHECKING:
    from tests.conftest import Join
    from tests.room_server import RoomServerUnderTest

WITHIN = 20.0
LOW, MEDIUM, HIGH, OFF = models.LOW, models.MEDIUM, models.HIGH, models.VideoQuality.OFF
LAYERS = [
    models.VideoLayer(quality=quality, width=640 >> shift, height=480 >> shift)
    for quality, shift in ((LOW, 2), (MEDIUM, 1), (HIGH, 0))
]


def enabled(response: rtc.SignalResponse) -> list[int]:
    update = response.subscribed_quality_update
    (codec,) = update.subscribed_codecs
    assert codec.codec == "vp8"
    assert list(codec.qualities) == list(update.subscribed_qualities)
    return [each.quality for each in codec.qualities if each.enabled]


async def learns(publisher: RawPeer, *qualities: int) -> None:
    """Returns once the publisher has been notified that these qualities are watched, and no
    others."""
    async with asyncio.timeout(WITHIN):
        while enabled(await publisher.signal.next("subscribed_quality_update")) != list(qualities):
            pass


async def test_a_publisher_learns_which_layers_are_watched(
    room_server: RoomServerUnderTest, room_name: str, join: Join
) -> None:
    request = rtc.AddTrackRequest(
        type=models.VIDEO, source=models.CAMERA, width=640, height=480, layers=LAYERS
    )
    viewer = await join("viewer")
    events = RoomEvents(viewer, "track_subscribed")
    token = room_server.token("publisher", room_name)
    async with RawPeer(room_server, token, video=request) as publisher:
        _, publication, _ = await events.next("track_subscribed")
        assert isinstance(publication, sdk.RemoteTrackPublication)
        await learns(publisher, LOW, MEDIUM, HIGH)
        publication.set_video_quality(sdk.VideoQuality.VIDEO_QUALITY_LOW)
        await learns(publisher, LOW)
        publication.set_video_quality(sdk.VideoQuality.VIDEO_QUALITY_MEDIUM)
        await learns(publisher, LOW, MEDIUM)
        publication.set_subscribed(False)
        await learns(publisher)


class TestUpdates:
    @pytest.fixture
    def told(self) -> asyncio.Queue[rtc.SignalResponse]:
        return asyncio.Queue()

    @pytest.fixture
    def info(self) -> models.TrackInfo:
        return models.TrackInfo(sid="TR_V", mime_type="video/VP8", layers=LAYERS)

    async def next(self, told: asyncio.Queue[rtc.SignalResponse]) -> list[int]:
        async with asyncio.timeout(WITHIN):
            return enabled(await told.get())

    async def test_an_increase_is_sent_at_once_and_a_decrease_later(
        self, told: asyncio.Queue[rtc.SignalResponse], info: models.TrackInfo
    ) -> None:
        dynacast = Dynacast(info, told.put_nowait, less_after=0.1)
        dynacast.watch([LOW])
        assert enabled(told.get_nowait()) == [LOW]
        dynacast.watch([LOW, HIGH])
        assert enabled(told.get_nowait()) == [LOW, MEDIUM, HIGH]
        dynacast.watch([LOW, MEDIUM])
        dynacast.watch([OFF])
        assert told.empty()
        assert await self.next(told) == []
        dynacast.watch([OFF, MEDIUM])
        assert enabled(told.get_nowait()) == [LOW, MEDIUM]

    async def test_the_lack_of_viewers_is_sent_after_a_while(
        self, told: asyncio.Queue[rtc.SignalResponse], info: models.TrackInfo
    ) -> None:
        dynacast = Dynacast(info, told.put_nowait, first_after=0.1)
        dynacast.start()
        assert told.empty()
        assert await self.next(told) == []

    async def test_the_publisher_of_a_muted_track_is_notified_when_it_unmutes(
        self, told: asyncio.Queue[rtc.SignalResponse], info: models.TrackInfo
    ) -> None:
        dynacast = Dynacast(info, told.put_nowait)
        info.muted = True
        dynacast.watch([HIGH])
        assert told.empty()
        info.muted = False
        dynacast.unmuted()
        assert enabled(told.get_nowait()) == [LOW, MEDIUM, HIGH]

    async def test_a_closed_one_tells_nothing(
        self, told: asyncio.Queue[rtc.SignalResponse], info: models.TrackInfo
    ) -> None:
        later = models.TrackInfo(sid="TR_later", mime_type="video/VP8")
        dynacast = Dynacast(info, told.put_nowait, first_after=0.01)
        other = Dynacast(later, told.put_nowait, first_after=0.05)
        dynacast.start()
        other.start()
        dynacast.close()
        async with asyncio.timeout(WITHIN):
            response = await told.get()
        assert response.subscribed_quality_update.track_sid == "TR_later"

    def test_a_layer_that_is_not_there_is_the_largest_one(self, info: models.TrackInfo) -> None:
        assert [quality_of(layer, info) for layer in (0, 1, 2, 3)] == [LOW, MEDIUM, HIGH, HIGH]
        del info.layers[:2]
        assert quality_of(0, info) == HIGH
        assert quality_of(2, models.TrackInfo()) == HIGH
