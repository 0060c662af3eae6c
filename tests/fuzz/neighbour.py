"""Somebody in another room of the embedded server, while it is sent anything."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from livekit.protocol import rtc

from tests.devserver.raw_signal import RawSignal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.room_server import RoomServerUnderTest


class Neighbour:
    """Somebody in another room of the server, who notices nothing."""

    def __init__(self, server: RoomServerUnderTest, signal: RawSignal) -> None:
        self.server = server
        self.signal = signal

    async def is_well(self) -> None:
        await self.signal.send(rtc.SignalRequest(ping=1))
        await self.signal.next("pong")


@pytest.fixture
async def neighbour(
    room_server: RoomServerUnderTest, room_name: str, caplog: pytest.LogCaptureFixture
) -> AsyncGenerator[Neighbour]:
    if room_server.embedded is None:
        pytest.skip("what a real server does with hostile input is not ours")
    token = room_server.token("neighbour", f"{room_name}-next-door")
    async with RawSignal(room_server, token) as signal:
        yield Neighbour(room_server, signal)
    failed = [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert [each.getMessage() for each in failed] == []
