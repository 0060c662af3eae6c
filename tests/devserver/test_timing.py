"""When participants and counts become visible: as late as in livekit-server, or at once."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest
from livekit import api, rtc

from devserver import RoomServer
from tests.devserver.published_media import tone
from tests.devserver.room_events import RoomEvents
from tests.room_server import RoomServerUnderTest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from devserver.timing import Timing

ROOM = "timing"


class Guests:
    """Participants of one room, who leave when the test ends."""

    def __init__(self, server: RoomServerUnderTest, room: str) -> None:
        self.server = server
        self.room = room
        self._present: list[rtc.Room] = []

    async def join(self, identity: str) -> rtc.Room:
        guest = rtc.Room()
        token = self.server.token(identity, self.room, can_update_own_metadata=True)
        await guest.connect(self.server.url, token)
        self._present.append(guest)
        return guest

    async def close(self) -> None:
        await asyncio.gather(*(guest.disconnect() for guest in self._present))


@contextlib.asynccontextmanager
async def embedded(timing: Timing) -> AsyncGenerator[RoomServerUnderTest]:
    async with RoomServer(timing=timing) as server:
        yield RoomServerUnderTest(server.url, server.api_key, server.api_secret, server)


@contextlib.asynccontextmanager
async def guests_of(server: RoomServerUnderTest, room: str) -> AsyncGenerator[Guests]:
    guests = Guests(server, room)
    try:
        yield guests
    finally:
        await guests.close()


@pytest.fixture
async def guests(room_server: RoomServerUnderTest, room_name: str) -> AsyncGenerator[Guests]:
    """Guests of a server that is as late as livekit-server, or is one."""
    async with contextlib.AsyncExitStack() as stack:
        server = room_server
        if server.embedded is not None:
            server = await stack.enter_async_context(embedded("livekit"))
        yield await stack.enter_async_context(guests_of(server, room_name))


def identities(events: RoomEvents) -> list[str]:
    return [participant.identity for (participant,) in events.seen("participant_connected")]


async def after_a_round(guests: Guests) -> RoomEvents:
    """The events of a watcher from just after an announcement.

    The next round of announcements is nearly three seconds away.
    """
    heard = RoomEvents(
        await guests.join("watcher"),
        "participant_connected",
        "participant_attributes_changed",
        "participant_disconnected",
        "room_updated",
    )
    await guests.join("first")
    await heard.next("participant_connected")
    return heard


async def test_a_participant_who_leaves_before_a_round_is_never_announced(guests: Guests) -> None:
    heard = await after_a_round(guests)
    passing = await guests.join("passing")
    await passing.disconnect()
    await guests.join("staying")
    (participant,) = await heard.next("participant_connected")
    assert participant.identity == "staying"
    assert not identities(heard)
    assert not heard.seen("participant_disconnected")


async def test_changed_attributes_are_announced(guests: Guests) -> None:
    heard = await after_a_round(guests)
    silent = await guests.join("silent")
    eager = await guests.join("eager")
    await eager.local_participant.set_attributes({"mood": "eager"})
    (participant,) = await heard.next("participant_connected")
    assert (participant.identity, participant.attributes) == ("eager", {"mood": "eager"})
    assert not identities(heard)
    await heard.next("participant_connected", lambda event: event[0].identity == "silent")
    assert not heard.seen("participant_attributes_changed")
    assert silent.isconnected()


async def test_publishers_are_announced_before_listeners(guests: Guests) -> None:
    heard = await after_a_round(guests)
    await guests.join("listening")
    speaker = await guests.join("speaking")
    async with tone(speaker, 450):
        (participant,) = await heard.next("participant_connected")
        assert participant.identity == "speaking"
        await heard.next("participant_connected", lambda event: event[0].identity == "listening")


async def test_a_newcomer_learns_of_everybody_at_once(guests: Guests) -> None:
    await after_a_round(guests)
    await guests.join("unannounced")
    newcomer = await guests.join("newcomer")
    assert set(newcomer.remote_participants) == {"watcher", "first", "unannounced"}


async def test_counts_lag_until_their_round(guests: Guests) -> None:
    async with guests.server.api() as client:
        await client.room.create_room(api.CreateRoomRequest(name=guests.room))
        watcher = await guests.join("watcher")
        told = RoomEvents(watcher, "room_updated")

        async def counted() -> int:
            listed = await client.room.list_rooms(api.ListRoomsRequest(names=[guests.room]))
            return listed.rooms[0].num_participants

        assert await counted() == 0
        await told.next("room_updated")
        assert watcher.num_participants == 1
        assert await counted() == 1
        await guests.join("second")
        assert await counted() == 1
        await told.next("room_updated")
        assert watcher.num_participants == await counted() == 2


async def test_an_instant_server_announces_and_counts_at_once() -> None:
    async with embedded("instant") as server, guests_of(server, ROOM) as guests:
        watcher = await guests.join("watcher")
        told = RoomEvents(watcher, "participant_connected", "room_updated")
        await guests.join("second")
        room = server.embedded.rooms[ROOM] if server.embedded else None
        assert room is not None
        assert room.info.num_participants == 2
        await told.next("participant_connected")
        await told.next("room_updated", lambda _: watcher.num_participants == 2)
