"""Updates to clients about speakers and the quality of connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from livekit import rtc

from tests.devserver.published_media import tone
from tests.devserver.room_events import RoomEvents

if TYPE_CHECKING:
    from tests.conftest import Join
    from tests.room_server import RoomServerUnderTest

SPEAKERS = "active_speakers_changed"
QUALITY = "connection_quality_changed"
SEVERAL_ROUNDS = 30.0
"""Seconds; the server tells of qualities every five."""


def identities(event: tuple[list[rtc.Participant], ...]) -> list[str]:
    return [participant.identity for participant in event[0]]


async def test_active_speakers_are_sent_to_everyone_who_hears_them(join: Join) -> None:
    speaker, listener = await join("speaker"), await join("listener")
    rooms = [RoomEvents(room, SPEAKERS, "track_subscribed") for room in (speaker, listener)]
    async with tone(speaker, 450):
        for events in rooms:
            await events.next(SPEAKERS, lambda event: identities(event) == ["speaker"])
    for events in rooms:
        await events.next(SPEAKERS, lambda event: identities(event) == [])


async def test_a_participant_who_does_not_hear_a_speaker_gets_no_update(join: Join) -> None:
    speaker, deaf = await join("speaker"), await join("deaf", can_subscribe=False)
    heard, unheard = RoomEvents(speaker, SPEAKERS), RoomEvents(deaf, SPEAKERS, "data_received")
    async with tone(speaker, 450):
        await heard.next(SPEAKERS)
        await speaker.local_participant.publish_data(b"done")
        await unheard.next("data_received")
        assert not unheard.seen(SPEAKERS)


async def test_good_connections_are_called_excellent(join: Join) -> None:
    speaker, listener = await join("speaker"), await join("listener")
    events = RoomEvents(listener, QUALITY)
    async with tone(speaker, 450):
        told: set[str] = set()
        while told != {"speaker", "listener"}:
            participant, quality = await events.next(QUALITY)
            assert quality == rtc.ConnectionQuality.QUALITY_EXCELLENT
            told.add(participant.identity)


async def test_heavy_packet_loss_is_a_poor_connection(
    join: Join, room_server: RoomServerUnderTest
) -> None:
    if room_server.embedded is None:
        pytest.skip("only the embedded server loses packets on request")
    speaker, listener = await join("speaker"), await join("listener")
    events = RoomEvents(listener, QUALITY)
    async with tone(speaker, 450):
        room_server.embedded.faults.media_loss = 0.4
        try:
            await events.next(
                QUALITY,
                lambda event: (
                    event[0].identity == "listener"
                    and event[1] == rtc.ConnectionQuality.QUALITY_POOR
                ),
                within=SEVERAL_ROUNDS,
            )
        finally:
            room_server.embedded.faults.media_loss = 0.0
