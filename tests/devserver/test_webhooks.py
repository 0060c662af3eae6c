"""Webhooks: the events, their order, their signatures, and the retries."""

from __future__ import annotations

import base64
import hashlib
import time
from typing import TYPE_CHECKING

import jwt
import pytest
from livekit import api, rtc
from livekit.protocol import models
from livekit.protocol import rtc as rtc_proto

from tests.devserver.raw_signal import RawSignal

if TYPE_CHECKING:
    from tests.conftest import Join
    from tests.room_server import RoomServerUnderTest
    from tests.webhook_receiver import WebhookReceiver


@pytest.fixture
def webhooks(room_server: RoomServerUnderTest) -> WebhookReceiver:
    if room_server.webhooks is None:
        pytest.skip("a server that runs already sends its webhooks elsewhere")
    return room_server.webhooks


async def test_the_life_of_a_room_is_reported_in_order(
    webhooks: WebhookReceiver, lk_api: api.LiveKitAPI, join: Join, room_name: str
) -> None:
    speaker = await join("speaker")
    source = rtc.AudioSource(48_000, 1)
    publication = await speaker.local_participant.publish_track(
        rtc.LocalAudioTrack.create_audio_track("microphone", source)
    )
    await source.capture_frame(rtc.AudioFrame.create(48_000, 1, 4_800))
    await webhooks.event("track_published", room_name)
    await speaker.local_participant.unpublish_track(publication.sid)
    await webhooks.event("track_unpublished", room_name)
    await speaker.disconnect()
    await webhooks.event("participant_left", room_name)
    await lk_api.room.delete_room(api.DeleteRoomRequest(room=room_name))
    await webhooks.event("room_finished", room_name)
    await source.aclose()

    events = [hook.event for hook in webhooks.received if hook.event.room.name == room_name]
    assert [event.event for event in events] == [
        "room_started",
        "participant_joined",
        "track_published",
        "track_unpublished",
        "participant_left",
        "room_finished",
    ]
    assert len({event.id for event in events}) == len(events)
    assert len({event.room.sid for event in events}) == 1
    started, joined, published, unpublished, left, finished = events
    for event in events:
        assert event.id.startswith("EV_")
        assert abs(event.created_at - time.time()) < 60
    assert (started.room.empty_timeout, started.room.departure_timeout) == (300, 20)
    assert not started.HasField("participant")
    assert joined.participant.identity == "speaker"
    assert joined.participant.state == models.ParticipantInfo.ACTIVE
    assert joined.room.empty_timeout == 300
    for event in (published, unpublished):
        # Of room and participant a track's events carry the names alone.
        assert event.room == models.Room(sid=started.room.sid, name=room_name)
        assert event.participant == models.ParticipantInfo(
            sid=joined.participant.sid, identity="speaker"
        )
        assert (event.track.sid, event.track.name) == (publication.sid, "microphone")
        assert event.track.type == models.AUDIO
    assert left.participant.sid == joined.participant.sid
    assert left.participant.disconnect_reason == models.DisconnectReason.CLIENT_INITIATED
    assert finished.room.creation_time == started.room.creation_time


async def test_a_failed_join_is_distinct_from_leaving(
    room_server: RoomServerUnderTest, webhooks: WebhookReceiver, room_name: str
) -> None:
    async with RawSignal(room_server, room_server.token("someone", room_name)) as signal:
        await signal.next("join")
        leave = rtc_proto.LeaveRequest(reason=models.DisconnectReason.CLIENT_INITIATED)
        await signal.send(rtc_proto.SignalRequest(leave=leave))
        aborted = await webhooks.event("participant_connection_aborted", room_name)
    assert aborted.participant.identity == "someone"
    events = {hook.event.event for hook in webhooks.received if hook.event.room.name == room_name}
    assert events == {"room_started", "participant_connection_aborted"}


async def test_an_event_is_signed_so_that_the_sdk_believes_it(
    room_server: RoomServerUnderTest,
    webhooks: WebhookReceiver,
    lk_api: api.LiveKitAPI,
    room_name: str,
) -> None:
    await lk_api.room.create_room(api.CreateRoomRequest(name=room_name))
    hook = await webhooks.wait_for(lambda hook: hook.event.room.name == room_name)
    token = hook.headers["Authorization"]
    assert hook.headers["Content-Type"] == "application/webhook+json"
    claims = jwt.decode(token, room_server.api_secret, algorithms=["HS256"])
    assert claims["iss"] == room_server.api_key
    assert claims["exp"] - claims["nbf"] == 300
    digest = hashlib.sha256(hook.body.encode()).digest()
    assert claims["sha256"] == base64.b64encode(digest).decode()
    verifier = api.TokenVerifier(room_server.api_key, room_server.api_secret)
    assert api.WebhookReceiver(verifier).receive(hook.body, token) == hook.event


async def test_a_refused_event_is_sent_again_and_order_is_kept(
    webhooks: WebhookReceiver, lk_api: api.LiveKitAPI, room_name: str
) -> None:
    webhooks.refuse(1)
    await lk_api.room.create_room(api.CreateRoomRequest(name=room_name))
    await lk_api.room.delete_room(api.DeleteRoomRequest(room=room_name))
    await webhooks.event("room_finished", room_name)
    events = [hook.event for hook in webhooks.received if hook.event.room.name == room_name]
    assert [event.event for event in events] == ["room_started", "room_finished"]
