"""RoomService: changes to rooms and participants, and the events that clients get."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from livekit import api, rtc
from livekit.protocol import models

from tests.devserver.published_media import tone
from tests.devserver.room_events import RoomEvents

if TYPE_CHECKING:
    from tests.conftest import Join
    from tests.devserver.twirp_client import TwirpClient
    from tests.room_server import RoomServerUnderTest

WITHIN = 20.0


class TestRooms:
    async def test_a_room_is_created_listed_and_deleted(
        self, lk_api: api.LiveKitAPI, room_name: str
    ) -> None:
        created = await lk_api.room.create_room(
            api.CreateRoomRequest(
                name=room_name,
                empty_timeout=60,
                departure_timeout=30,
                max_participants=5,
                metadata="first",
            )
        )
        assert created.sid.startswith("RM_")
        assert created.creation_time_ms // 1000 == created.creation_time
        assert (created.empty_timeout, created.departure_timeout) == (60, 30)
        assert (created.metadata, created.max_participants) == ("first", 5)
        listed = await lk_api.room.list_rooms(api.ListRoomsRequest(names=[room_name, "no such"]))
        assert [room.sid for room in listed.rooms] == [created.sid]
        everything = await lk_api.room.list_rooms(api.ListRoomsRequest())
        assert created.sid in {room.sid for room in everything.rooms}
        await lk_api.room.delete_room(api.DeleteRoomRequest(room=room_name))
        listed = await lk_api.room.list_rooms(api.ListRoomsRequest(names=[room_name]))
        assert not listed.rooms

    async def test_creating_a_room_that_exists_changes_nothing(
        self, lk_api: api.LiveKitAPI, room_name: str
    ) -> None:
        created = await lk_api.room.create_room(
            api.CreateRoomRequest(name=room_name, empty_timeout=60, metadata="first")
        )
        again = await lk_api.room.create_room(
            api.CreateRoomRequest(
                name=room_name,
                empty_timeout=70,
                metadata="second",
                agents=[api.RoomAgentDispatch(agent_name="late")],
            )
        )
        assert again == created
        listed = await lk_api.room.list_rooms(api.ListRoomsRequest(names=[room_name]))
        assert list(listed.rooms) == [created]
        dispatches = await lk_api.agent_dispatch.list_dispatch(room_name)
        assert [d.agent_name for d in dispatches] == [""]

    async def test_deleting_a_room_sends_everyone_away(
        self, lk_api: api.LiveKitAPI, join: Join, room_name: str
    ) -> None:
        told = RoomEvents(await join("someone"), "disconnected")
        await lk_api.room.delete_room(api.DeleteRoomRequest(room=room_name))
        assert await told.next("disconnected") == (models.DisconnectReason.ROOM_DELETED,)

    async def test_a_full_room_admits_nobody(
        self, lk_api: api.LiveKitAPI, join: Join, room_name: str
    ) -> None:
        await lk_api.room.create_room(api.CreateRoomRequest(name=room_name, max_participants=1))
        await join("first")
        with pytest.raises(rtc.ConnectError):
            await join("second")

    async def test_metadata_reaches_those_in_the_room(
        self, lk_api: api.LiveKitAPI, join: Join, room_name: str
    ) -> None:
        client = await join("someone")
        told = RoomEvents(client, "room_metadata_changed")
        room = await lk_api.room.update_room_metadata(
            api.UpdateRoomMetadataRequest(room=room_name, metadata="news")
        )
        assert room.metadata == "news"
        assert await told.next("room_metadata_changed") == ("", "news")
        assert client.metadata == "news"


class TestParticipants:
    async def test_they_are_listed_and_found(
        self, lk_api: api.LiveKitAPI, join: Join, room_name: str
    ) -> None:
        for identity in ("first", "second"):
            await join(identity)
        listed = await lk_api.room.list_participants(api.ListParticipantsRequest(room=room_name))
        assert sorted(p.identity for p in listed.participants) == ["first", "second"]
        found = await lk_api.room.get_participant(
            api.RoomParticipantIdentity(room=room_name, identity="first")
        )
        assert found.sid.startswith("PA_")
        assert found.state == models.ParticipantInfo.ACTIVE
        assert found.client_protocol >= 2
        assert found.permission.can_publish

    async def test_a_removed_participant_learns_why(
        self, lk_api: api.LiveKitAPI, join: Join, room_name: str
    ) -> None:
        told = RoomEvents(await join("someone"), "disconnected")
        await lk_api.room.remove_participant(
            api.RoomParticipantIdentity(room=room_name, identity="someone")
        )
        assert await told.next("disconnected") == (models.DisconnectReason.PARTICIPANT_REMOVED,)
        listed = await lk_api.room.list_participants(api.ListParticipantsRequest(room=room_name))
        assert not listed.participants

    async def test_a_publisher_counts_until_its_permission_ends(
        self, lk_api: api.LiveKitAPI, join: Join, room_server: RoomServerUnderTest, room_name: str
    ) -> None:
        publisher, listener = await join("publisher"), await join("listener")
        told = RoomEvents(listener, "track_subscribed", "track_unpublished")
        who = api.RoomParticipantIdentity(room=room_name, identity="publisher")
        server = room_server.embedded  # livekit-server's counts are seconds late
        assert not (await lk_api.room.get_participant(who)).is_publisher
        async with tone(publisher, 450):
            await told.next("track_subscribed")
            assert (await lk_api.room.get_participant(who)).is_publisher
            assert server is None or server.rooms[room_name].info.num_publishers == 1
            info = await lk_api.room.update_participant(
                api.UpdateParticipantRequest(
                    room=room_name,
                    identity="publisher",
                    permission=models.ParticipantPermission(can_subscribe=True),
                )
            )
            assert not info.is_publisher
            await told.next("track_unpublished")
            assert server is None or server.rooms[room_name].info.num_publishers == 0

    async def test_everyone_sees_the_changes_of_an_administrator(
        self, lk_api: api.LiveKitAPI, join: Join, room_name: str
    ) -> None:
        await join("subject")
        watcher = await join("watcher")
        changes = (
            "participant_attributes_changed",
            "participant_metadata_changed",
            "participant_name_changed",
        )
        told = RoomEvents(watcher, *changes)
        info = await lk_api.room.update_participant(
            api.UpdateParticipantRequest(
                room=room_name,
                identity="subject",
                name="Subject",
                metadata="about it",
                attributes={"mood": "good"},
                permission=models.ParticipantPermission(can_subscribe=True, can_publish_data=True),
            )
        )
        assert (info.name, info.metadata, dict(info.attributes)) == (
            "Subject",
            "about it",
            {"mood": "good"},
        )
        assert not info.permission.can_publish
        for change in changes:
            await told.next(change)
        seen = watcher.remote_participants["subject"]
        assert (seen.name, seen.metadata, seen.attributes) == (
            "Subject",
            "about it",
            {"mood": "good"},
        )

    async def test_an_administrator_mutes_but_does_not_unmute(
        self, lk_api: api.LiveKitAPI, twirp: TwirpClient, join: Join, room_name: str
    ) -> None:
        speaker = await join("speaker")
        told = RoomEvents(await join("listener"), "track_subscribed", "track_muted")
        async with tone(speaker, 440) as publication:
            await told.next("track_subscribed")
            answer = await lk_api.room.mute_published_track(
                api.MuteRoomTrackRequest(
                    room=room_name, identity="speaker", track_sid=publication.sid, muted=True
                )
            )
            assert (answer.track.sid, answer.track.muted) == (publication.sid, True)
            await told.next("track_muted")
            refused = await twirp.call(
                "RoomService/MutePublishedTrack",
                {"room": room_name, "identity": "speaker", "track_sid": publication.sid},
            )
        assert refused.error == (
            412,
            "failed_precondition",
            "twirp error unknown: remote unmute not enabled",
        )
        unknown = await lk_api.room.mute_published_track(
            api.MuteRoomTrackRequest(
                room=room_name, identity="speaker", track_sid="TR_unknown", muted=True
            )
        )
        assert not unknown.HasField("track")

    async def test_an_administrator_subscribes_for_a_participant(
        self, lk_api: api.LiveKitAPI, join: Join, room_name: str
    ) -> None:
        speaker = await join("speaker")
        listener = await join("listener", options=rtc.RoomOptions(auto_subscribe=False))
        told = RoomEvents(listener, "track_published", "track_subscribed")
        async with tone(speaker, 440) as publication:
            await told.next("track_published")
            assert not told.seen("track_subscribed")
            await lk_api.room.update_subscriptions(
                api.UpdateSubscriptionsRequest(
                    room=room_name,
                    identity="listener",
                    track_sids=[publication.sid],
                    subscribe=True,
                )
            )
            await told.next("track_subscribed")


async def active(lk_api: api.LiveKitAPI, room: str, identity: str) -> None:
    """Returns when data reaches the participant: a real server learns of that after the client."""
    who = api.RoomParticipantIdentity(room=room, identity=identity)
    async with asyncio.timeout(WITHIN):
        while (await lk_api.room.get_participant(who)).state != models.ParticipantInfo.ACTIVE:
            pass


class TestSendData:
    async def test_data_reaches_whom_it_is_for(
        self, lk_api: api.LiveKitAPI, join: Join, room_name: str
    ) -> None:
        first = RoomEvents(await join("first"), "data_received")
        second = RoomEvents(await join("second"), "data_received")
        for identity in ("first", "second"):
            await active(lk_api, room_name, identity)
        request = api.SendDataRequest(
            room=room_name,
            data=json.dumps("to second").encode(),
            kind=models.DataPacket.RELIABLE,
            destination_identities=["second"],
            topic="news",
        )
        await lk_api.room.send_data(request)
        request.ClearField("destination_identities")
        request.data = b"to all"
        await lk_api.room.send_data(request)
        [private] = await second.next("data_received")
        assert (private.data, private.topic, private.participant) == (b'"to second"', "news", None)
        for told in (first, second):
            [public] = await told.next("data_received")
            assert public.data == b"to all"
