from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from aiohttp.test_utils import unused_port
from livekit import rtc

from devserver.model import DemoModel, Reply
from tests.agent.cli.command_line import CommandLine, RunningCommand
from tests.room_server import RoomServerUnderTest

STARTED = "Ctrl-C stops everything."

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@contextlib.asynccontextmanager
async def dev(line: CommandLine, *arguments: str, **environ: str) -> AsyncGenerator[RunningCommand]:
    """`dev`, started, and stopped again."""
    async with line.running("dev", "--no-page", *arguments, **environ) as running:
        await running.says(STARTED)
        yield running
        if running.process.returncode is None:
            assert await running.stop(signal.SIGTERM) == 0
            assert "Traceback" not in running.output


def processes_of(line: CommandLine) -> dict[int, str]:
    """Command lines of what still runs with this CommandLine's directory, by process id."""
    mark = f"XDG_RUNTIME_DIR={line.directory}\0".encode()
    found: dict[int, str] = {}
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in (path / "environ").read_bytes():
                found[int(path.name)] = (path / "cmdline").read_text().replace("\0", " ")
    return found


async def test_a_talking_room_in_one_command(bare: CommandLine) -> None:
    async with dev(bare, "--port", "0") as running:
        assert re.search(r"ws://127\.0\.0\.1:\d+", running.output)
        assert "demo model" in running.output
        assert "WARNING" not in running.output
        [talk] = re.findall(
            r'-m agent (chat) "What is the weather in Paris\?" --room demo', running.output
        )
        chat = await bare.run(talk, "What time is it?", "--room", "demo")
        assert (chat.status, chat.stderr) == (0, "")
        assert "I am the demo model" in chat.stdout
        assert "getCurrentTime" in chat.stdout
        call = await bare.run("call", "getWeather", '{"city": 5}', "--room", "demo")
        assert call.status == 1
        assert call.stderr.startswith("400 ")
        doctor = await bare.run("doctor", WEATHER_GEOCODING_URL=f"http://127.0.0.1:{unused_port()}")
        assert doctor.status == 0, doctor.stderr
        again = await bare.run("dev", "--no-page")
        assert again.status == 1
        assert "running already at ws://127.0.0.1:" in again.stderr
    if sys.platform == "linux":
        assert processes_of(bare) == {}
    assert (await bare.run("token", "--room", "r", "--identity", "i")).status == 2


@pytest.mark.lengthy
async def test_others_on_the_network_come_in_only_where_that_is_said(bare: CommandLine) -> None:
    async with dev(bare, "--host", "0.0.0.0", "--port", "0") as running:  # noqa: S104
        assert "WARNING" in running.output
        assert "secretsecret" not in running.output
        network = re.search(r"network +(ws://\S+)", running.output)
        if network is None:
            pytest.skip("this machine has no network")
        joining = await bare.run("token", "--room", "demo", "--identity", "phone")
        room = rtc.Room()
        await room.connect(network[1], joining.stdout.strip())
        await room.disconnect()


async def test_a_host_for_a_server_that_is_not_started_here_is_refused(
    bare: CommandLine, settings_of_worker: dict[str, str]
) -> None:
    finished = await bare.run("dev", "--no-page", "--host", "0.0.0.0", **settings_of_worker)  # noqa: S104
    assert finished.status == 2
    assert "LIVEKIT_URL names another" in finished.stderr


@pytest.mark.lengthy
async def test_configured_values_are_used(
    bare: CommandLine,
    settings_of_worker: dict[str, str],
    room_server: RoomServerUnderTest,
    model: DemoModel,
    room_name: str,
) -> None:
    settings = {**settings_of_worker, "AGENT_NAME": f"dev-{room_name}"}
    model.script(Reply("From the configured model"))
    async with dev(bare, **settings) as running:
        assert f"{room_server.url}  configured" in running.output
        assert model.base_url in running.output
        assert f"dispatched as dev-{room_name}" in running.output
        assert room_server.api_secret not in running.output
        # The other commands find the agent's name as they find the server.
        chat = await bare.run("chat", "Hello", "--room", room_name)
        assert chat.stdout == "From the configured model\n"


@pytest.mark.parametrize("key", [pytest.param("", marks=pytest.mark.lengthy), "sk-of-the-tests"])
async def test_doctor_asks_the_model_of_the_running_dev(
    bare: CommandLine, model: DemoModel, key: str
) -> None:
    settings = {"OPENAI_BASE_URL": model.base_url, "LLM_MODEL": "llama", "OPENAI_API_KEY": key}
    async with dev(bare, "--port", "0", **settings):
        doctor = await bare.run("doctor", WEATHER_GEOCODING_URL=f"http://127.0.0.1:{unused_port()}")
    assert doctor.status == 0, doctor.stdout
    assert "sk-of-the-tests" not in doctor.stdout
    if key:
        assert f"{model.base_url}: not asked, the running `dev` has its key" in doctor.stdout
        assert "llama" not in doctor.stdout
    else:
        assert f"{model.base_url}: llama answers" in doctor.stdout
        assert model.requests[-1].body["model"] == "llama"


def livekit_server() -> str | None:
    """A livekit-server program: on PATH, or the one that the tests run against."""
    return shutil.which("livekit-server") or shutil.which(os.environ.get("ROOM_SERVER", ""))


@pytest.mark.skipif(livekit_server() is None, reason="no livekit-server on PATH or in ROOM_SERVER")
async def test_a_livekit_server_on_the_path(bare: CommandLine) -> None:
    program = livekit_server()
    assert program is not None
    path = f"{os.path.dirname(program)}:{bare.environ['PATH']}"
    async with dev(bare, "--port", str(unused_port()), PATH=path) as running:
        assert f"{program} --dev" in running.output
        assert (await bare.run("call", "ping", "--room", "demo")).status == 0
    if sys.platform == "linux":
        assert processes_of(bare) == {}


@on_linux
async def test_nothing_is_left_behind_when_it_is_killed(bare: CommandLine) -> None:
    async with dev(bare, "--port", "0") as running:
        assert len(processes_of(bare)) > 1
        # The end of the output is that of the last one who could write to it.
        assert await running.stop(signal.SIGKILL) == -signal.SIGKILL
    assert processes_of(bare) == {}


@pytest.mark.lengthy
@on_linux
async def test_a_worker_that_ends_by_itself(bare: CommandLine) -> None:
    async with dev(bare, "--port", "0") as running:
        [worker] = [pid for pid, line in processes_of(bare).items() if "dev_worker" in line]
        os.kill(worker, signal.SIGKILL)
        assert await running.ends() == 1
        assert "the worker ended by itself" in running.output


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"LIVEKIT_URL": "ws://127.0.0.1:1"}, "LIVEKIT_API_KEY is not set"),
        ({"LLM_TIMEOUT": "never"}, "LLM_TIMEOUT: expected"),
    ],
)
async def test_settings_that_are_wrong(
    bare: CommandLine, settings: dict[str, str], problem: str
) -> None:
    finished = await bare.run("dev", "--no-page", **settings)
    assert finished.status == 2
    assert problem in finished.stderr


async def test_a_port_that_is_taken(bare: CommandLine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        finished = await bare.run("dev", "--no-page", "--port", str(port))
    assert finished.status == 1
    assert f"port {port} is taken" in finished.stderr
