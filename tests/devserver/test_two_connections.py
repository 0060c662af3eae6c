"""Clients with a peer connection for each direction pass the tests of clients with one.

The official SDK has two with `single_peer_connection=False`, and joins by signalling v0 then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from livekit import rtc

from tests.devserver.published_media import heard_hertz, tone
from tests.devserver.room_events import RoomEvents
from tests.devserver.test_data import TestPackets, TestRpc, TestStreams
from tests.devserver.test_media import TRACK_EVENTS, TestAudio, TestVideo, subscribed
from tests.devserver.test_permissions import TestData, TestPublishing, TestSubscribing
from tests.devserver.test_signalling import TestEnds

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Join
    from tests.room_server import Grant

__all__ = [
    "TestAudio",
    "TestData",
    "TestEnds",
    "TestPackets",
    "TestPublishing",
    "TestRpc",
    "TestStreams",
    "TestSubscribing",
    "TestVideo",
]


@pytest.fixture
def join(join: Join) -> Join:
    async def connect(
        identity: str,
        *,
        room: str | None = None,
        token: str | None = None,
        options: rtc.RoomOptions | None = None,
        prepare: Callable[[rtc.Room], object] | None = None,
        **grants: Grant,
    ) -> rtc.Room:
        options = options or rtc.RoomOptions()
        if options.single_peer_connection is None:
            options.single_peer_connection = False
        return await join(
            identity, room=room, token=token, options=options, prepare=prepare, **grants
        )

    return connect


async def test_clients_with_one_connection_and_with_two_hear_each_other(join: Join) -> None:
    one = await join("one", options=rtc.RoomOptions(single_peer_connection=True))
    two = await join("two")
    heard_by_one, heard_by_two = (RoomEvents(room, *TRACK_EVENTS) for room in (one, two))
    async with tone(one, 450), tone(two, 900):
        assert await heard_hertz(await subscribed(heard_by_one, "two")) == 900
        assert await heard_hertz(await subscribed(heard_by_two, "one")) == 450
