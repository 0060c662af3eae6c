"""A lossy topic keeps a part of a flood, by a clock that the test turns."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from livekit import rtc

from agent.data import rate
from agent.data.cursor import Cursor
from agent.data.data_channel import DataChannel
from agent.data.packet import Packet
from agent.data.rate import Rate
from agent.data.topic import OpenTopic, Topic, TopicHandler, TopicRoom
from agent.inbox.message import Sender
from agent.wire.notices import Notices


class Recorder(TopicHandler[Cursor]):
    """The accepted packets, in order."""

    def __init__(self, room: TopicRoom) -> None:
        super().__init__(room)
        self.taken: list[float] = []
        self.changed = asyncio.Event()

    def take(self, packet: Packet[Cursor]) -> None:
        self.taken.append(packet.content.x)
        self.changed.set()


def cursor(x: float) -> Packet[Any]:
    fields = {"x": x, "y": 0.0}
    return Packet(
        "cursor", Sender("bob"), id="", content=fields, fields=fields, timestamp=1, body=fields
    )


async def test_a_packet_is_never_taken_before_an_older_one(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(rate.time, "monotonic", lambda: now)
    room = rtc.Room()
    notices = Notices(room)
    channel = DataChannel(room, people=cast("Any", None), notices=notices)
    unused = cast("Any", None)
    topic_room = TopicRoom("kitchen", channel, notices, *[unused] * 6)
    topic = Topic("cursor", Cursor, Recorder, reliable=False, rate=Rate(per_second=100, burst=1))
    opened = OpenTopic(topic, topic_room)
    handler = cast("Recorder", opened.handler)

    opened.take(cursor(1))
    opened.take(cursor(2))
    # The loop was busy: by the clock, the second could have been taken long ago.
    now = 10.0
    opened.take(cursor(3))
    assert handler.taken == [1]
    handler.changed.clear()
    async with asyncio.timeout(10):
        await handler.changed.wait()
    assert handler.taken == [1, 3]
    opened.take(cursor(4))
    opened.forget("bob")
    await opened.aclose()
