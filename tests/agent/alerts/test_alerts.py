"""Every alert fires where its fault happens to a worker, and none does where it is well.

The faults are real ones; promtool plays on what a worker's page said of them.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from collections.abc import Callable, Generator
from pathlib import Path

import aiohttp
import pytest
import yaml
from livekit import api

from agent.host.worker_server import WorkerServer
from agent.room.room_session import RoomSession
from agent.telemetry.own_metrics import own_metrics
from agent.testing.history_samples import asked
from devserver.model import DemoModel, Reply, tool_call
from tests.agent.accounts.receiver import SECRET
from tests.agent.alerts.alert_rules import NOTHING, RULES, AlertRules, Scrape
from tests.agent.cli.command_line import CommandLine, RunningCommand
from tests.agent.cli.conftest import bare
from tests.agent.conftest import Enter, StartWorker, Worker
from tests.agent.files.test_files_in import send
from tests.agent.files.test_full_disk import small_disk
from tests.agent.outages import LockedSqlite
from tests.agent.processes.test_supervisor import pids
from tests.conftest import Join
from tests.room_server import RoomServerUnderTest, embedded_room_server
from toolkit.errors import Unavailable
from toolkit.tool import tool

__all__ = ["bare", "small_disk"]

pytestmark = [pytest.mark.lengthy, pytest.mark.timeout(120)]
WITHIN = 60.0
NOBODY_LISTENS = "http://127.0.0.1:9/"
"""The port of `discard`."""
BY_LOAD = "RoomAgentLoopBlocked|RoomAgentFirstTextSlow"
"""What a busy machine may do to the tests themselves."""


@tool
async def fail() -> str:
    """Fails as a service that is down does."""
    raise Unavailable("The service is down.")


@tool
async def block() -> str:
    """Holds the loop of all rooms."""
    time.sleep(1.5)  # noqa: ASYNC251 - the fault
    return "done"


def now(worker: Worker) -> Scrape:
    """The worker's page."""
    assert isinstance(worker.server, WorkerServer)
    worker.server.sample()
    return at_the_end()


def at_the_end() -> Scrape:
    """What a worker that has ended has counted."""
    return Scrape.of(own_metrics())


async def until(worker: Worker, holds: Callable[[Scrape], bool]) -> Scrape:
    """The worker's page as soon as this is so."""
    async with asyncio.timeout(WITHIN):
        while True:
            scrape = now(worker)
            if holds(scrape):
                return scrape
            # It announces nothing: it is asked again.
            await asyncio.sleep(0.05)


@pytest.fixture
def rules(tmp_path: Path) -> AlertRules:
    return AlertRules(tmp_path)


@pytest.fixture
def database(tmp_path: Path) -> Generator[LockedSqlite]:
    """One that nobody else can write to, once its outage has begun."""
    database = LockedSqlite(tmp_path / "locked.db")
    yield database
    database.close()


def test_each_alert_has_its_test_here() -> None:
    named = {rule["alert"] for rule in yaml.safe_load(RULES.read_text())["groups"][0]["rules"]}
    text = Path(__file__).read_text()
    assert {each for each in named if f'"{each}"' not in text} == set()


async def test_none_of_a_worker_that_is_well(
    rules: AlertRules, start_worker: StartWorker, enter: Enter
) -> None:
    worker = await start_worker()
    alice = await enter("alice", worker=worker)
    await alice.ask("Hello?")
    before = now(worker)
    await alice.ask("And again?")
    rules.are_silent(before, now(worker), but=BY_LOAD)


async def test_a_worker_that_is_gone(rules: AlertRules) -> None:
    rules.fires("RoomAgentGone", NOTHING, NOTHING)


async def test_a_room_server_that_is_down(rules: AlertRules, start_worker: StartWorker) -> None:
    async with embedded_room_server() as server:
        worker = await start_worker(LIVEKIT_URL=server.url)
        before = await until(worker, lambda scrape: scrape.value("connected") == 1)
    after = await until(worker, lambda scrape: scrape.value("connected") == 0)
    rules.fires("RoomAgentDisconnected", before, after)


async def test_a_worker_without_places(
    rules: AlertRules,
    start_worker: StartWorker,
    enter: Enter,
    join: Join,
    room_server: RoomServerUnderTest,
) -> None:
    worker = await start_worker(AGENT_MAX_ROOMS="1")
    before = now(worker)
    room = api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name=worker.name)])
    tokens = [
        room_server.access_token("alice", f"{worker.name}-{number}").with_room_config(room)
        for number in range(6)
    ]
    # At once: a room server that knows of a full worker asks it no more.
    await asyncio.gather(*(join("alice", token=each.to_jwt()) for each in tokens))
    refused = "jobs_refused_total"
    since = before.value(refused, reason="full")
    after = await until(worker, lambda scrape: scrape.value(refused, reason="full") > since)
    rules.fires("RoomAgentNearlyFull", before, after)
    rules.fires("RoomAgentJobsRefused", before, after)


async def test_processes_that_end(
    rules: AlertRules, bare: CommandLine, room_server: RoomServerUnderTest, model: DemoModel
) -> None:
    environ = {
        "LIVEKIT_URL": room_server.url,
        "LIVEKIT_API_KEY": room_server.api_key,
        "LIVEKIT_API_SECRET": room_server.api_secret,
        "OPENAI_BASE_URL": model.base_url,
        "AGENT_NAME": "alerts",
        "PROCESSES": "2",
        "VOICE": "off",
    }
    async with bare.running("start", **environ) as running:
        page = await _page_of(running)
        while running.output.count("registered worker") < 2:
            await running.reads()
        before = await _scraped(page)
        registered = re.findall(r'"registered worker".*?"pid": (\d+)', running.output)
        os.kill(int(registered[0]), signal.SIGKILL)
        after = await _scraped(page, lambda each: each.value("restarts_total", reason="exit") > 0)
        rules.fires("RoomAgentProcessesEnd", before, after)
        await running.stop()


async def test_processes_that_grow(rules: AlertRules, tmp_path: Path) -> None:
    # A real one is replaced when it has run for a minute.
    supervised = CommandLine(tmp_path, module="tests.agent.processes.supervised")
    async with supervised.running("growing", "small") as running:
        (first,) = await pids(running, 1)
        page = await _page_of(running)
        before = await _scraped(page)
        os.kill(first, signal.SIGUSR1)
        after = await _scraped(page, lambda each: each.value("restarts_total", reason="memory") > 0)
        rules.fires("RoomAgentMemoryGrows", before, after)


async def test_a_tool_that_blocks_the_loop(
    rules: AlertRules, start_worker: StartWorker, enter: Enter
) -> None:
    worker = await start_worker(tools=[block])
    alice = await enter("alice", worker=worker)
    before = now(worker)
    await alice.call("block")
    count = "loop_lag_seconds_count"
    since = before.value(count, loop="rooms")
    after = await until(worker, lambda scrape: scrape.value(count, loop="rooms") > since)
    rules.fires("RoomAgentLoopBlocked", before, after)


async def test_a_stay_that_fails(
    rules: AlertRules,
    start_worker: StartWorker,
    join: Join,
    room_server: RoomServerUnderTest,
    room_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def run(*_: object, **__: object) -> None:
        raise RuntimeError("a fault of the worker's own")

    worker = await start_worker(TAKEOVER="no")
    before = now(worker)
    monkeypatch.setattr(RoomSession, "run", run)
    room = api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name=worker.name)])
    token = room_server.access_token("alice", room_name).with_room_config(room).to_jwt()
    await join("alice", token=token)
    since = before.value("rooms_failed_total")
    after = await until(worker, lambda scrape: scrape.value("rooms_failed_total") > since)
    rules.fires("RoomAgentRoomsFail", before, after)


async def test_a_model_service_that_fails(
    rules: AlertRules, start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(LLM_RETRIES="0")
    alice = await enter("alice", worker=worker)
    model.script(Reply(status=500), Reply("Fine"))
    before = now(worker)
    await alice.ask("Does it work?")
    await alice.ask("Does it work now?")
    since = before.value("answers_total", finish_reason="stop")
    after = await until(
        worker, lambda scrape: scrape.value("answers_total", finish_reason="stop") > since
    )
    rules.fires("RoomAgentAnswersFail", before, after)
    rules.fires("RoomAgentModelFails", before, after)


async def test_a_model_service_that_is_slow(
    rules: AlertRules, start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker()
    alice = await enter("alice", worker=worker)
    # The alert is about seconds, and so are the bounds of its histogram.
    model.script(Reply("At last", first_token_delay=5.5))
    before = now(worker)
    await alice.ask("How long does it take?")
    rules.fires("RoomAgentFirstTextSlow", before, now(worker))


async def test_questions_that_wait(
    rules: AlertRules, start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker()
    alice = await enter("alice", worker=worker)
    goes_on = asyncio.Event()
    model.script(Reply("Slowly", pause=goes_on))
    before = now(worker)
    asked_ids = [await alice.say(f"Question number {number}") for number in range(6)]
    after = await until(worker, lambda scrape: scrape.value("questions_waiting") >= 4)
    goes_on.set()
    for each in asked_ids:
        await alice.answer_to(each)
    rules.fires("RoomAgentQuestionsWait", before, after)


async def test_a_tool_that_fails(
    rules: AlertRules, start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(tools=[fail])
    alice = await enter("alice", worker=worker)
    model.script(Reply(tool_calls=[tool_call("fail")]), Reply("It is down."))
    before = now(worker)
    await alice.ask("Does the service work?")
    rules.fires("RoomAgentToolFails", before, now(worker))


async def test_a_database_that_is_away(
    rules: AlertRules, start_worker: StartWorker, enter: Enter, database: LockedSqlite
) -> None:
    worker = await start_worker(
        DATABASE_URL=database.url, WEBHOOK_URLS=NOBODY_LISTENS, WEBHOOK_SECRET=SECRET
    )
    alice = await enter("alice", worker=worker)
    await alice.ask("Is the database there?")
    before = now(worker)
    await database.begin()
    history = worker.host.services.history
    rooms_loop = worker.host._loop  # pyright: ignore[reportPrivateUsage]
    assert rooms_loop is not None

    async def write() -> None:
        await asyncio.gather(*(history.add_message(asked(str(n))) for n in range(600)))

    writing = asyncio.run_coroutine_threadsafe(write(), rooms_loop)
    failing = await until(
        worker,
        lambda scrape: (
            scrape.value("database_failing") == 1 and scrape.value("history_backlog") > 500
        ),
    )
    await asyncio.wrap_future(writing)
    rules.fires("RoomAgentDatabaseFails", before, failing)
    rules.fires("RoomAgentHistoryBacklog", before, failing)
    # It does not come back before the worker ends.
    await worker.server.aclose()
    await worker.host.aclose()
    await database.end()
    rules.fires("RoomAgentHistoryLost", before, at_the_end())
    rules.fires("RoomAgentWebhooksLost", before, at_the_end())


async def test_a_store_that_is_nearly_full(
    rules: AlertRules, start_worker: StartWorker, enter: Enter
) -> None:
    worker = await start_worker(MAX_STORED_BYTES="100000")
    alice = await enter("alice", worker=worker)
    before = now(worker)
    await send(alice, b"x" * 95_000)
    await alice.notice("file.received")
    after = await until(worker, lambda scrape: scrape.value("stored_bytes") >= 95_000)
    rules.fires("RoomAgentStoreNearlyFull", before, after)


async def test_a_disk_that_is_nearly_full(
    rules: AlertRules, start_worker: StartWorker, enter: Enter, small_disk: Path
) -> None:
    worker = await start_worker(ATTACHMENTS_DIR=str(small_disk))
    alice = await enter("alice", worker=worker)
    before = now(worker)
    await send(alice, b"some bytes")
    await alice.notice("file.received")
    rules.fires("RoomAgentDiskNearlyFull", before, now(worker))


async def test_people_who_are_refused(
    rules: AlertRules, start_worker: StartWorker, enter: Enter
) -> None:
    worker = await start_worker(PARTICIPANT_MESSAGES="1/hour")
    alice = await enter("alice", worker=worker)
    before = now(worker)
    for number in range(80):
        await alice.send_packet({"type": "chat", "id": str(number), "text": "Hello?"})
    since = before.value("refusals_total", code="429")
    after = await until(
        worker, lambda scrape: scrape.value("refusals_total", code="429") > since + 60
    )
    rules.fires("RoomAgentPeopleRefused", before, after)


async def test_a_receiver_of_webhooks_that_is_down(
    rules: AlertRules, start_worker: StartWorker, enter: Enter
) -> None:
    worker = await start_worker(WEBHOOK_URLS=NOBODY_LISTENS, WEBHOOK_SECRET=SECRET)
    before = now(worker)
    alice = await enter("alice", worker=worker)
    await alice.ask("Is anybody told of this?")
    after = await until(worker, lambda scrape: scrape.value("webhooks_failing") == 1)
    rules.fires("RoomAgentWebhooksFail", before, after)


async def _page_of(running: RunningCommand) -> str:
    """The address of a supervisor's page."""
    found = re.search(r"health on port (\d+)", await running.says("health on port"))
    assert found is not None
    return f"http://127.0.0.1:{found[1]}/metrics"


async def _scraped(url: str, holds: Callable[[Scrape], bool] = lambda _: True) -> Scrape:
    async with asyncio.timeout(WITHIN), aiohttp.ClientSession() as http:
        while True:
            async with http.get(url) as response:
                scrape = Scrape.of(await response.text())
            if holds(scrape):
                return scrape
            await asyncio.sleep(0.05)
