"""Participants' permissions, by their token and as an administrator changes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from livekit import api, rtc

from tests.devserver.published_media import heard_hertz, tone
from tests.devserver.room_events import RoomEvents

if TYPE_CHECKING:
    from tests.conftest import Join

TRACK_EVENTS = ("track_published", "track_unpublished", "track_subscribed", "track_unsubscribed")
MAY_ALL: dict[str, Any] = {"can_publish": True, "can_subscribe": True, "can_publish_data": True}


async def change(
    lk_api: api.LiveKitAPI,
    room_name: str,
    identity: str,
    **permission: Any,  # noqa: ANN401  fields of a message
) -> None:
    """Changes a participant's permission as an administrator; what is not said is allowed."""
    await lk_api.room.update_participant(
        api.UpdateParticipantRequest(
            room=room_name,
            identity=identity,
            permission=api.ParticipantPermission(**(MAY_ALL | permission)),
        )
    )


class TestPublishing:
    async def test_a_revoked_permission_ends_tracks(
        self, join: Join, lk_api: api.LiveKitAPI, room_name: str
    ) -> None:
        publisher, listener = await join("publisher"), await join("listener")
        events = RoomEvents(listener, *TRACK_EVENTS)
        own = RoomEvents(publisher, "participant_permissions_changed")
        async with tone(publisher, 450):
            await events.next("track_subscribed")
            await change(lk_api, room_name, "publisher", can_publish=False)
            await events.next("track_unpublished")
            participant, permission = await own.next("participant_permissions_changed")
            assert participant.identity == "publisher"
            assert not permission.can_publish

    async def test_a_permission_for_other_sources_ends_only_what_it_leaves_out(
        self, join: Join, lk_api: api.LiveKitAPI, room_name: str
    ) -> None:
        publisher, listener = await join("publisher"), await join("listener")
        events = RoomEvents(listener, *TRACK_EVENTS)
        async with (
            tone(publisher, 450) as microphone,
            tone(publisher, 900, source=rtc.TrackSource.SOURCE_SCREENSHARE_AUDIO) as screen,
        ):
            for _ in range(2):
                await events.next("track_subscribed")
            await change(
                lk_api,
                room_name,
                "publisher",
                can_publish_sources=[api.TrackSource.SCREEN_SHARE_AUDIO],
            )
            ended, _ = await events.next("track_unpublished")
            assert ended.sid == microphone.sid
            remaining = listener.remote_participants["publisher"].track_publications
            assert set(remaining) == {screen.sid}


class TestSubscribing:
    async def test_without_the_permission_and_with_it(
        self, join: Join, lk_api: api.LiveKitAPI, room_name: str
    ) -> None:
        publisher, listener = await join("publisher"), await join("listener", can_subscribe=False)
        events = RoomEvents(listener, *TRACK_EVENTS)
        async with tone(publisher, 450):
            await events.next("track_published")
            await change(lk_api, room_name, "listener")
            track, _, _ = await events.next("track_subscribed")
            assert await heard_hertz(track) == 450

    async def test_a_publisher_chooses_its_listeners(self, join: Join) -> None:
        publisher, chosen = await join("publisher"), await join("chosen")
        other = await join("other")
        to_chosen, to_other = RoomEvents(chosen, *TRACK_EVENTS), RoomEvents(other, *TRACK_EVENTS)
        publisher.local_participant.set_track_subscription_permissions(
            allow_all_participants=False,
            participant_permissions=[
                rtc.ParticipantTrackPermission(participant_identity="chosen", allow_all=True)
            ],
        )
        async with tone(publisher, 450):
            track, _, _ = await to_chosen.next("track_subscribed")
            assert await heard_hertz(track) == 450
            await to_other.next("track_published")
            assert not to_other.seen("track_subscribed")
            publisher.local_participant.set_track_subscription_permissions(
                allow_all_participants=True
            )
            track, _, _ = await to_other.next("track_subscribed")
            assert await heard_hertz(track) == 450


class TestData:
    async def test_a_permission_given_and_taken(
        self, join: Join, lk_api: api.LiveKitAPI, room_name: str
    ) -> None:
        sender, listener = await join("sender", can_publish_data=False), await join("listener")
        events = RoomEvents(listener, "data_received")
        own = RoomEvents(sender, "participant_permissions_changed")
        await change(lk_api, room_name, "sender")
        await own.next("participant_permissions_changed", lambda event: event[1].can_publish_data)
        await sender.local_participant.publish_data(b"allowed")
        assert (await events.next("data_received"))[0].data == b"allowed"
        await change(lk_api, room_name, "sender", can_publish_data=False)
        await own.next(
            "participant_permissions_changed", lambda event: not event[1].can_publish_data
        )
        await sender.local_participant.publish_data(b"refused")
        await change(lk_api, room_name, "sender")
        await own.next("participant_permissions_changed", lambda event: event[1].can_publish_data)
        await sender.local_participant.publish_data(b"allowed again")
        assert (await events.next("data_received"))[0].data == b"allowed again"


class TestOwnMetadata:
    async def test_everyone_is_notified_of_a_change(self, join: Join) -> None:
        someone = await join("someone", can_update_own_metadata=True)
        other = await join("other")
        names = (
            "participant_metadata_changed",
            "participant_name_changed",
            "participant_attributes_changed",
        )
        told = [RoomEvents(room, *names) for room in (someone, other)]
        await someone.local_participant.set_metadata("mine")
        await someone.local_participant.set_name("Me")
        await someone.local_participant.set_attributes({"key": "value"})
        for events in told:
            participant, _, now = await events.next("participant_metadata_changed")
            assert (participant.identity, now) == ("someone", "mine")
            participant, _, now = await events.next("participant_name_changed")
            assert (participant.identity, now) == ("someone", "Me")
            changed, participant = await events.next("participant_attributes_changed")
            assert (participant.identity, changed) == ("someone", {"key": "value"})
            assert participant.attributes == {"key": "value"}

    async def test_an_empty_attribute_is_removed(self, join: Join) -> None:
        someone = await join("someone", can_update_own_metadata=True)
        other = await join("other")
        events = RoomEvents(other, "participant_attributes_changed")
        await someone.local_participant.set_attributes({"one": "1", "two": "2"})
        await events.next("participant_attributes_changed")
        await someone.local_participant.set_attributes({"one": ""})
        changed, participant = await events.next("participant_attributes_changed")
        assert (changed, participant.attributes) == ({"one": ""}, {"two": "2"})
