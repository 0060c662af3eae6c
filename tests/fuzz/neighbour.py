"""Somebody in another room of the embedded server, while it is sent anything."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from livekit.protocol import rtc

from devserver import Limits
from tests.devserver.raw_signal import RawSignal
from tests.room_server import embedded_room_server

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.room_server import RoomServerUnderTest

LIMITS = Limits(join_timeout=24 * 3600.0)
"""The neighbour has no peer connection, without which it would be sent away in the midst."""


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
    async with embedded_room_server(limits=LIMITS) as server:
        token = server.token("neighbour", f"{room_name}-next-door")
        async with RawSignal(server, token) as signal:
            yield Neighbour(server, signal)
    failed = [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert [each.getMessage() for each in failed] == []
