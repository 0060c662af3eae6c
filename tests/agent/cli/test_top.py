"""`top`: the worker on this machine."""

from __future__ import annotations

import io
from collections.abc import Generator

import pytest
from aiohttp.test_utils import unused_port
from rich.console import Console

from agent.cli.top_view import MAX_ROOMS, Look, sums, view
from agent.telemetry import metrics
from agent.telemetry.metric_store import MetricStore
from devserver.model import DemoModel, Reply
from tests.agent.cli.command_line import CommandLine
from tests.agent.conftest import Enter, StartWorker


@pytest.fixture
def counted_anew() -> Generator[None]:
    """Nothing counts that other tests of this process have counted, or left waiting."""
    before = metrics.store()
    metrics.use(MetricStore())
    yield
    metrics.use(before)


def shown(look: Look, before: Look | None = None) -> str:
    text = io.StringIO()
    Console(file=text, width=200).print(view(look, before))
    return text.getvalue()


@pytest.mark.usefixtures("counted_anew")
async def test_rooms_of_a_running_worker(
    bare: CommandLine, start_worker: StartWorker, enter: Enter, model: DemoModel, room_name: str
) -> None:
    worker = await start_worker()
    alice = await enter("alice", worker=worker)
    model.script(Reply(first_token_delay=30))
    await alice.say("Hello?")
    await model.requests.reach(1)

    done = await bare.run("top", "--once", "--port", str(worker.server.worker_info.http_port))

    assert (done.status, done.stderr) == (0, "")
    (line,) = [each for each in done.stdout.splitlines() if room_name in each]
    assert line.split() == [room_name, "thinking", "1", "1", "-"]
    assert "rooms 1 of 25 · questions 1" in done.stdout


async def test_it_says_where_no_worker_is(bare: CommandLine) -> None:
    port = unused_port()
    done = await bare.run("top", "--once", "--port", str(port))
    assert done.status == 1
    assert f"no worker answers at http://127.0.0.1:{port}" in done.stderr


def test_rates_are_the_growth_of_counters_per_second() -> None:
    before = Look(10.0, metrics=sums('room_agent_messages_total{form="stream"} 3\n'))
    text = 'room_agent_messages_total{form="stream"} 10\nroom_agent_messages_total{form="file"} 3\n'
    assert "messages/s 5.0" in shown(Look(12.0, metrics=sums(text)), before)
    assert "messages/s 0.0" in shown(before)


@pytest.mark.parametrize("name", ["\x1b[2Jroom", "[bold]room[/bold]"])
def test_a_name_is_text_whatever_is_in_it(name: str) -> None:
    room = {"name": name, "state": "listening", "people": 1, "waiting": 0, "pid": 1}
    told = shown(Look(1.0, rooms=[room] * (MAX_ROOMS + 5)))
    assert "\x1b" not in told
    assert name.replace("\x1b", " ") in told
    assert "and 5 more" in told
