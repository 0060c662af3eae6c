"""Joins and leaves leave memory, tasks and descriptors where they were."""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path
from types import CoroutineType
from typing import Any

import aiohttp
import pytest
from livekit import api, rtc

from devserver import Participant, Room, RoomListener, RoomServer
from tests.devserver.test_whip import SDP, offering

DESCRIPTORS = Path("/proc/self/fd")
AT_ONCE = 10
ROUNDS = 5


class Leavers(RoomListener):
    """Counts those who left."""

    def __init__(self) -> None:
        self.count = 0
        self.changed = asyncio.Event()

    def participant_left(self, room: Room, participant: Participant) -> None:
        del room, participant
        self.count += 1
        self.changed.set()


def connection_tasks() -> set[asyncio.Task[Any]]:
    """The running tasks of aiortc and aioice, which nobody but a connection owns."""
    return {
        task
        for task in asyncio.all_tasks()
        if isinstance(coroutine := task.get_coro(), CoroutineType)
        and {"aiortc", "aioice"} & set(Path(coroutine.cr_code.co_filename).parts)
    }


def held_by(server: RoomServer) -> list[Participant | Room]:
    """The participants and rooms of a server that are still there."""
    gc.collect()
    return [
        found
        for found in gc.get_objects()
        if isinstance(found, Participant | Room) and found.context.packets is server.packets
    ]


async def come_and_go(server: RoomServer, identity: str, options: rtc.RoomOptions) -> None:
    grants = api.VideoGrants(room_join=True, room=identity)
    token = api.AccessToken(server.api_key, server.api_secret).with_identity(identity)
    room = rtc.Room()
    await room.connect(server.url, token.with_grants(grants).to_jwt(), options)
    await room.local_participant.publish_data(b"hello")
    await room.disconnect()


@pytest.mark.skipif(not DESCRIPTORS.exists(), reason="counts descriptors in /proc")
@pytest.mark.parametrize("single", [True, False], ids=["one connection", "two connections"])
async def test_fifty_joins_and_leaves(*, single: bool) -> None:
    options = rtc.RoomOptions(single_peer_connection=single)
    leavers = Leavers()
    tasks_before = connection_tasks()
    async with RoomServer() as server:
        server.listeners.append(leavers)
        await come_and_go(server, "first", options)
        descriptors = len(os.listdir(DESCRIPTORS))
        for number in range(ROUNDS):
            await asyncio.gather(
                *(come_and_go(server, f"{number}-{place}", options) for place in range(AT_ONCE))
            )
        while leavers.count < 1 + ROUNDS * AT_ONCE:
            leavers.changed.clear()
            await asyncio.wait_for(leavers.changed.wait(), 10)
        for name in list(server.rooms):
            server.delete_room(name)
    assert not held_by(server)
    assert not len(server.tasks)
    assert not connection_tasks() - tasks_before
    # The process has other users of descriptors; a leak would be of one a join at least.
    assert len(os.listdir(DESCRIPTORS)) < descriptors + ROUNDS * AT_ONCE // 2


async def test_sessions_of_whip_that_ended() -> None:
    async with RoomServer() as server, offering() as (_, offer):
        grants = api.VideoGrants(room_join=True, room="studio")
        token = api.AccessToken(server.api_key, server.api_secret).with_identity("obs")
        headers = {"Authorization": f"Bearer {token.with_grants(grants).to_jwt()}"}
        async with aiohttp.ClientSession(server.http_url, headers=headers) as http:
            session = ""
            for _ in range(3):  # each takes the place of the one before
                async with http.post("/whip/v1", data=offer, headers=SDP) as response:
                    assert response.status == 201
                    session = response.headers["Location"]
            async with http.delete(session) as response:
                assert response.status == 200
        server.delete_room("studio")
    assert not held_by(server)
    assert not len(server.tasks)
