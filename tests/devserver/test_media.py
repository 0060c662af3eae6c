"""Audio and video: published, subscribed to, muted, ended, and published again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from livekit import rtc

from tests.devserver.published_media import heard_hertz, is_silent, picture, shows, tone
from tests.devserver.room_events import RoomEvents

if TYPE_CHECKING:
    from tests.conftest import Join

TRACK_EVENTS = (
    "track_published",
    "track_unpublished",
    "track_subscribed",
    "track_unsubscribed",
    "track_muted",
    "track_unmuted",
)


ASKED_AGAIN_AFTER = 5.0  # livekit-server tries every three seconds


async def subscribed(events: RoomEvents, identity: str) -> rtc.Track:
    """The next track of this participant that is subscribed to."""
    track, _, _ = await events.next("track_subscribed", lambda event: event[2].identity == identity)
    return track


async def subscribed_again(
    events: RoomEvents, publication: rtc.RemoteTrackPublication
) -> rtc.Track:
    """The track, after it was unsubscribed from.

    livekit-server loses a request that comes while it still ends the former subscription, once in
    some hundred: it is made again.
    """
    while True:
        publication.set_subscribed(True)
        try:
            async with asyncio.timeout(ASKED_AGAIN_AFTER):
                return (await events.next("track_subscribed"))[0]
        except TimeoutError:
            publication.set_subscribed(False)


class TestAudio:
    async def test_those_present_hear_a_publisher(self, join: Join) -> None:
        publisher, listener = await join("publisher"), await join("listener")
        events = RoomEvents(listener, *TRACK_EVENTS)
        published = RoomEvents(publisher, "local_track_subscribed")
        async with tone(publisher, 450) as publication:
            track = await subscribed(events, "publisher")
            assert (track.sid, track.name) == (publication.sid, "tone-450")
            assert await heard_hertz(track) == 450
            await published.next("local_track_subscribed")

    async def test_a_late_subscriber_hears_a_publisher(self, join: Join) -> None:
        publisher = await join("publisher")
        async with tone(publisher, 450):
            events: list[RoomEvents] = []
            await join("late", prepare=lambda room: events.append(RoomEvents(room, *TRACK_EVENTS)))
            assert await heard_hertz(await subscribed(events[0], "publisher")) == 450

    async def test_each_publisher_is_heard_as_itself(self, join: Join) -> None:
        rooms = {name: await join(name) for name in ("low", "middle", "high")}
        events = {name: RoomEvents(room, *TRACK_EVENTS) for name, room in rooms.items()}
        pitch = {"low": 300, "middle": 600, "high": 1200}
        async with (
            tone(rooms["low"], pitch["low"]),
            tone(rooms["middle"], pitch["middle"]),
            tone(rooms["high"], pitch["high"]),
        ):
            for listener, told in events.items():
                tracks: dict[str, rtc.Track] = {}
                while len(tracks) < len(rooms) - 1:
                    track, _, who = await told.next("track_subscribed")
                    tracks[who.identity] = track
                for name, track in tracks.items():
                    assert name != listener
                    assert await heard_hertz(track) == pitch[name]

    async def test_two_tracks_of_one_publisher(self, join: Join) -> None:
        publisher, listener = await join("publisher"), await join("listener")
        events = RoomEvents(listener, *TRACK_EVENTS)
        async with (
            tone(publisher, 400),
            tone(publisher, 800, source=rtc.TrackSource.SOURCE_SCREENSHARE_AUDIO),
        ):
            tracks = [await subscribed(events, "publisher") for _ in range(2)]
            heard = {track.name: await heard_hertz(track) for track in tracks}
            assert heard == {"tone-400": 400, "tone-800": 800}

    async def test_mute_and_unmute(self, join: Join) -> None:
        publisher, listener = await join("publisher"), await join("listener")
        events = RoomEvents(listener, *TRACK_EVENTS)
        async with tone(publisher, 450) as publication:
            track = await subscribed(events, "publisher")
            assert await heard_hertz(track) == 450
            assert isinstance(publication.track, rtc.LocalAudioTrack)
            publication.track.mute()
            who, muted = await events.next("track_muted")
            assert (who.identity, muted.sid, muted.muted) == ("publisher", track.sid, True)
            assert await is_silent(track)
            publication.track.unmute()
            await events.next("track_unmuted")
            assert await heard_hertz(track) == 450

    async def test_unpublish_and_publish_again(self, join: Join) -> None:
        publisher, listener = await join("publisher"), await join("listener")
        events = RoomEvents(listener, *TRACK_EVENTS)
        former = ""
        for hertz in (450, 900, 600):
            async with tone(publisher, hertz) as publication:
                track = await subscribed(events, "publisher")
                assert track.sid == publication.sid != former
                assert await heard_hertz(track) == hertz
                former = publication.sid
                await publisher.local_participant.unpublish_track(former)
                ended, _ = await events.next("track_unpublished")
                assert ended.sid == former

    async def test_a_publisher_that_leaves_and_comes_back(self, join: Join) -> None:
        listener = await join("listener")
        events = RoomEvents(listener, *TRACK_EVENTS, "participant_disconnected")
        for hertz in (450, 900):
            publisher = await join("publisher")
            async with tone(publisher, hertz):
                assert await heard_hertz(await subscribed(events, "publisher")) == hertz
                await publisher.disconnect()
                await events.next("participant_disconnected")

    async def test_subscribing_by_hand(self, join: Join) -> None:
        publisher = await join("publisher")
        listener = await join("listener", options=rtc.RoomOptions(auto_subscribe=False))
        events = RoomEvents(listener, *TRACK_EVENTS)
        async with tone(publisher, 450):
            publication, _ = await events.next("track_published")
            assert not publication.subscribed
            publication.set_subscribed(True)
            assert await heard_hertz(await subscribed(events, "publisher")) == 450
            publication.set_subscribed(False)
            await events.next("track_unsubscribed")
            assert await heard_hertz(await subscribed_again(events, publication)) == 450


class TestVideo:
    @pytest.mark.parametrize(
        "codec",
        [rtc.VideoCodec.VP8, rtc.VideoCodec.VP9, rtc.VideoCodec.AV1, rtc.VideoCodec.H264],
        ids=["VP8", "VP9", "AV1", "H264"],
    )
    async def test_those_present_and_the_late_see_a_publisher(
        self, join: Join, codec: rtc.VideoCodec.ValueType
    ) -> None:
        publisher, viewer = await join("publisher"), await join("viewer")
        events = RoomEvents(viewer, *TRACK_EVENTS)
        async with picture(publisher, 200, codec=codec):
            assert await shows(await subscribed(events, "publisher"), 200)
            late: list[RoomEvents] = []
            await join("late", prepare=lambda room: late.append(RoomEvents(room, *TRACK_EVENTS)))
            assert await shows(await subscribed(late[0], "publisher"), 200)
            (publication,) = viewer.remote_participants["publisher"].track_publications.values()
            assert publication.mime_type.lower() == f"video/{rtc.VideoCodec.Name(codec).lower()}"

    async def test_several_publishers(self, join: Join) -> None:
        dark, light, viewer = await join("dark"), await join("light"), await join("viewer")
        events = RoomEvents(viewer, *TRACK_EVENTS)
        async with picture(dark, 50), picture(light, 210):
            tracks: dict[str, rtc.Track] = {}
            while len(tracks) < 2:
                track, _, who = await events.next("track_subscribed")
                tracks[who.identity] = track
            assert await shows(tracks["dark"], 50)
            assert await shows(tracks["light"], 210)

    async def test_simulcast_is_shown(self, join: Join) -> None:
        publisher, viewer = await join("publisher"), await join("viewer")
        events = RoomEvents(viewer, *TRACK_EVENTS)
        async with picture(publisher, 200, simulcast=True), tone(publisher, 450):
            tracks: dict[rtc.TrackKind.ValueType, rtc.Track] = {}
            while len(tracks) < 2:
                track = await subscribed(events, "publisher")
                tracks[track.kind] = track
            assert await shows(tracks[rtc.TrackKind.KIND_VIDEO], 200)
            assert await heard_hertz(tracks[rtc.TrackKind.KIND_AUDIO]) == 450
