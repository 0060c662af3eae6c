"""Fixtures: a hostile participant, and somebody next door."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from tests.agent.conftest import Enter, StartWorker, enter, model, start_worker
from tests.fuzz.hostile import Hostile
from tests.fuzz.neighbour import neighbour
from tests.log_guard import LogGuard

__all__ = ("enter", "model", "neighbour", "start_worker")

NOWHERE = "http://127.0.0.1:9/v1"


@pytest.fixture
async def hostile(
    start_worker: StartWorker,
    enter: Enter,
    room_name: str,
    caplog: pytest.LogCaptureFixture,
    log_guard: LogGuard,
) -> AsyncGenerator[Hostile]:
    # What the hostile one writes serves as ids and topics, too, and those are logged.
    log_guard.allow_words()
    worker = await start_worker(
        STREAM_TIMEOUT="2", WEATHER_GEOCODING_URL=NOWHERE, WEATHER_FORECAST_URL=NOWHERE
    )
    neighbour = await enter("neighbour", worker=worker, room=f"{room_name}-next-door")
    client = await enter("mallory", can_update_own_metadata=True)
    await client.ask("hello")
    caplog.clear()
    made = Hostile(client, neighbour, worker, caplog)
    made.tasks = made.count_tasks()
    yield made
    await made.settled()
