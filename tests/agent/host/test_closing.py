"""A process that closes: each step has its time, and what waits for the database is written."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from livekit.agents import Agent, AgentSession

from agent.app.app import App
from agent.history.message import ThreadKey
from agent.history.open_history import open_history
from agent.host.closing import Closing
from agent.testing.history_samples import everything
from tests.agent.accounts.receiver import SECRET
from tests.agent.conftest import Enter, StartWorker
from tests.agent.outages import LockedSqlite
from toolkit.room import Room


@pytest.fixture
def database(tmp_path: Path) -> Generator[LockedSqlite]:
    locked = LockedSqlite(tmp_path / "closing.db")
    yield locked
    locked.close()


async def never() -> None:
    await asyncio.Event().wait()


async def fails() -> None:
    raise OSError("the model's connection")


async def test_a_step_that_fails_or_never_ends_keeps_no_other_from_its_turn(
    caplog: pytest.LogCaptureFixture,
) -> None:
    closing = Closing(services=0.05, history=20.0)
    done = asyncio.Event()
    await closing.steps({"models": fails(), "the app": never()}, by=closing.services)
    # Its time is over; it is begun all the same.
    await closing.step(asyncio.to_thread(time.sleep, 0.1), "tools", by=closing.services)
    await closing.step(asyncio.to_thread(done.set), "history", by=closing.history)
    assert done.is_set()
    assert closing.overdue == ["the app", "tools"]
    assert [
        record.getMessage() for record in caplog.records if record.levelno == logging.ERROR
    ] == [
        "models failed to close",
        "the app did not close in time, the process ends without it",
        "tools did not close in time, the process ends without it",
    ]
    assert closing.writing == pytest.approx(16.0, abs=1.0)


async def test_an_app_that_does_not_end_costs_no_answer(
    start_worker: StartWorker, enter: Enter, database: LockedSqlite
) -> None:
    app = App(on_stop=never, hook_timeout=60.0)
    worker = await start_worker(app=app, DATABASE_URL=database.url, CONVERSATIONS="room-name")
    alice = await enter("alice", worker=worker)
    await alice.ask("hello")
    await database.begin()
    last = await alice.ask("are you there?")
    closing = Closing(services=3.0)
    ending = asyncio.create_task(worker.host.aclose(closing))
    await alice.until(lambda: alice.agent is None)
    await database.end()
    async with asyncio.timeout(20):
        await ending
    assert "the app" in closing.overdue
    history = open_history(database.url)
    stored = await everything(history, ThreadKey(alice.room.name))
    await history.aclose()
    assert {each.in_reply_to: each.finish_reason for each in stored if each.finish_reason}[
        last.in_reply_to
    ] == "stop"


async def test_an_app_that_goes_on_starting_keeps_nothing_from_closing(
    start_worker: StartWorker,
) -> None:
    begun = threading.Event()

    async def starts() -> None:
        begun.set()
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await never()

    worker = await start_worker(app=App(on_start=starts, hook_timeout=60.0))
    assert await asyncio.to_thread(begun.wait, 20)
    closing = Closing(opening=0.2)
    await worker.host.aclose(closing)
    assert closing.overdue == ["the opening"]


class Unclosable(AgentSession[Any]):
    """A session with a plugin whose end fails."""

    async def aclose(self) -> None:
        await super().aclose()
        raise OSError("the realtime model's connection")


async def test_a_session_whose_end_fails_keeps_nothing_from_closing(
    start_worker: StartWorker, enter: Enter, caplog: pytest.LogCaptureFixture
) -> None:
    agents = {"shop": lambda: (Unclosable(vad=None), Agent(instructions="Sell."))}
    worker = await start_worker(app=App(agents))
    alice = await enter("alice", worker=worker)
    await alice.ask("hello")
    closing = Closing()
    await worker.host.aclose(closing)
    assert closing.overdue == []
    assert "session of the agent shop failed to end" in caplog.messages


class Lingering(Agent):
    """An Agent whose on_exit never returns."""

    async def on_exit(self) -> None:
        await never()


@pytest.mark.parametrize("lingers", ["agent", "hook"])
async def test_an_app_that_lingers_costs_no_report_of_its_conversation(
    start_worker: StartWorker, enter: Enter, database: LockedSqlite, lingers: str
) -> None:
    agents = {"shop": lambda: Lingering(instructions="Sell.")} if lingers == "agent" else {}

    async def on_room_stop(_: Room) -> None:
        if lingers == "hook":
            await never()

    app = App(agents or None, on_room_stop=on_room_stop, hook_timeout=60.0)
    # Nobody is there, so that events stay in the database.
    url = "http://127.0.0.1:9/events"
    worker = await start_worker(
        app=app, DATABASE_URL=database.url, WEBHOOK_URLS=url, WEBHOOK_SECRET=SECRET
    )
    alice = await enter("alice", worker=worker)
    await alice.ask("hello")
    closing = Closing()
    await worker.host.aclose(closing)
    assert closing.overdue == []
    stored = open_history(database.url)
    left = await stored.accounts.claim_events(url, now=2**50, until=0, limit=100)
    await stored.aclose()
    assert "conversation.ended" in {json.loads(each.event.body)["type"] for each in left}
