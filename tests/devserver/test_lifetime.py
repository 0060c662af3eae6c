"""Lifetimes of rooms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from livekit import api, rtc
from livekit.protocol import room as room_proto

from tests.devserver.raw_signal import RawSignal
from tests.devserver.room_events import RoomEvents

if TYPE_CHECKING:
    from tests.conftest import Join
    from tests.room_server import RoomServerUnderTest
    from tests.webhook_receiver import WebhookReceiver


@pytest.fixture
def webhooks(room_server: RoomServerUnderTest) -> WebhookReceiver:
    """Tells the end of a room, which nobody else is there to see."""
    if room_server.webhooks is None:
        pytest.skip("a running server could not be told where to send webhooks")
    return room_server.webhooks


async def test_a_room_that_nobody_joins_ends(
    lk_api: api.LiveKitAPI, room_name: str, webhooks: WebhookReceiver
) -> None:
    await lk_api.room.create_room(api.CreateRoomRequest(name=room_name, empty_timeout=1))
    await webhooks.event("room_finished", room_name)
    rooms = await lk_api.room.list_rooms(api.ListRoomsRequest(names=[room_name]))
    assert not rooms.rooms


async def test_a_room_that_everyone_left_ends(
    room_server: RoomServerUnderTest, room_name: str, webhooks: WebhookReceiver
) -> None:
    config = room_proto.RoomConfiguration(departure_timeout=1)
    token = room_server.access_token("someone", room_name).with_room_config(config).to_jwt()
    async with RawSignal(room_server, token) as signal:
        first = (await signal.next("join")).join.room
    await webhooks.event("room_finished", room_name)
    async with RawSignal(room_server, token) as signal:
        second = (await signal.next("join")).join.room
    assert first.sid != second.sid


async def test_a_participant_who_returns_in_time_finds_the_room(
    room_server: RoomServerUnderTest, room_name: str
) -> None:
    token = room_server.token("someone", room_name)
    sids: set[str] = set()
    for _ in range(2):
        async with RawSignal(room_server, token) as signal:
            sids.add((await signal.next("join")).join.room.sid)
    assert len(sids) == 1


async def test_agents_do_not_keep_a_room(
    join: Join, room_server: RoomServerUnderTest, room_name: str
) -> None:
    config = room_proto.RoomConfiguration(departure_timeout=1)
    token = room_server.access_token("person", room_name).with_room_config(config).to_jwt()
    person = await join("person", token=token)
    agent_token = room_server.access_token("assistant", room_name, agent=True).with_kind("agent")
    agent = await join("assistant", token=agent_token.to_jwt())
    told = RoomEvents(agent, "disconnected")
    await person.disconnect()
    (reason,) = await told.next("disconnected")
    assert reason == rtc.DisconnectReason.ROOM_CLOSED
