"""Fixtures for tests of a worker process."""

from __future__ import annotations

import asyncio
from threading import Event

import pytest
from livekit import rtc

from tests.agent.chat_client import AGENT


@pytest.fixture
async def joining(monkeypatch: pytest.MonkeyPatch, room_name: str) -> tuple[asyncio.Event, Event]:
    """The agent's joining of the room takes until the second event; the first: it has begun."""
    begun, goes_on = asyncio.Event(), Event()
    loop, connect = asyncio.get_running_loop(), rtc.Room.connect

    async def connect_slowly(room: rtc.Room, url: str, token: str, *rest: rtc.RoomOptions) -> None:
        await connect(room, url, token, *rest)
        if room.name == room_name and room.local_participant.identity == AGENT:
            loop.call_soon_threadsafe(begun.set)
            await asyncio.to_thread(goes_on.wait, 30)

    monkeypatch.setattr(rtc.Room, "connect", connect_slowly)
    return begun, goes_on
