from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
from pathlib import Path

import aiohttp
import psutil
import pytest

from tests.agent.cli.command_line import HANDED_OVER, CommandLine, RunningCommand


async def test_missing_values_are_named(bare: CommandLine) -> None:
    finished = await bare.run("start")
    assert (finished.status, finished.stdout) == (2, "")
    assert [line.split(" ")[0] for line in finished.stderr.splitlines()] == [
        "LIVEKIT_URL",
        "LIVEKIT_API_KEY",
        "LIVEKIT_API_SECRET",
        "OPENAI_API_KEY",
    ]


async def test_errors_are_named(agent: CommandLine) -> None:
    finished = await agent.run("start", LIVEKIT_URL="localhost", AGENT_MAX_ROOMS="many")
    assert (finished.status, finished.stdout) == (2, "")
    assert "LIVEKIT_URL: expected" in finished.stderr
    assert "AGENT_MAX_ROOMS: expected" in finished.stderr


async def test_settings_of_a_file(agent: CommandLine) -> None:
    (agent.directory / ".env").write_text("LLM_TIMEOUT=never\n")
    finished = await agent.run("start")
    assert finished.status == 2
    assert "LLM_TIMEOUT: expected" in finished.stderr


@pytest.mark.lengthy
async def test_a_file_in_another_encoding_is_refused(agent: CommandLine) -> None:
    (agent.directory / ".env").write_bytes("LLM_TIMEOUT=5\n".encode("utf-16"))
    for command in (
        "start",
        "migrate",
        "doctor",
        "dev",
        "chat Hello",
        "call ping",
        "token -r demo --identity me",
    ):
        finished = await agent.run(*command.split())
        assert finished.status == (1 if command == "doctor" else 2)
        assert "expected a text file in UTF-8" in finished.stdout + finished.stderr
        assert "Traceback" not in finished.stderr


async def test_a_misspelt_setting_is_named(agent: CommandLine) -> None:
    (agent.directory / ".env").write_text("AGENT_MAX_ROOM=5\n")
    finished = await agent.run("doctor")
    assert "AGENT_MAX_ROOM is not a setting: did you mean AGENT_MAX_ROOMS?" in finished.stdout
    async with agent.running("start", "--processes", "1") as started:
        await started.says("AGENT_MAX_ROOM is not a setting: did you mean AGENT_MAX_ROOMS?")


async def test_a_port_that_is_taken_is_a_failure(agent: CommandLine) -> None:
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        alone = await agent.run("start", "--processes", "1", HTTP_PORT=port)
        several = await agent.run("start", "--processes", "2", HTTP_PORT=port)
    for finished in (alone, several):
        assert finished.status == 1
        assert f"HTTP_PORT={port}: the port is taken (" in finished.stderr


@pytest.mark.lengthy
@pytest.mark.timeout(180)
async def test_a_free_port_is_used_if_the_default_is_taken(agent: CommandLine) -> None:
    with socket.socket() as taken:
        # If it cannot be bound, another process has it.
        with contextlib.suppress(OSError):
            taken.bind(("", 8081))
            taken.listen()
        async with agent.running("start", "--processes", "2", HTTP_PORT="") as started:
            await registered(started, 2)
            found = re.search(r"port 8081 is taken: health is on port (\d+)", started.output)
            assert found is not None
            async with aiohttp.ClientSession(f"http://127.0.0.1:{found[1]}") as client:
                while (health := await asked(client))[0] == 503:
                    pass
                assert health == (200, "2 of 2 worker processes registered\n")
                assert await asked(client, "/healthz") == (
                    200,
                    '{"status": "alive", "reasons": []}',
                )
                while (health := await asked(client, "/readyz"))[0] == 503:
                    pass
                assert health[1].startswith('{"status": "ready"')
            supervisor = psutil.Process(started.process.pid)
            for worker in supervisor.children():
                # Those that were forked have inherited the supervisor's socket.
                listening = [
                    connection.laddr
                    for connection in worker.net_connections()
                    if connection.status == "LISTEN" and connection.laddr.port != int(found[1])
                ]
                assert {address.ip for address in listening} == {"127.0.0.1"}
            assert await started.stop() == 0


@pytest.mark.timeout(180)
async def test_several_processes_share_the_rooms(agent: CommandLine, room_name: str) -> None:
    """A process that holds as many rooms as it may refuses more, and another takes them."""
    name = f"{room_name}-worker"
    settings = {"AGENT_NAME": name, "AGENT_MAX_ROOMS": "1", "HTTP_HOST": "127.0.0.1"}
    async with agent.running("start", "--processes", "2", **settings) as started:
        while started.output.count("registered worker") < 2:
            await started.reads()
        # In rooms, WebRTC also listens where media may come from.
        assert listened_on(started.process.pid) == {"127.0.0.1"}
        for number in range(2):
            room = f"{room_name}-{number}"
            called = await agent.run("call", "ping", "--room", room, AGENT_NAME=name)
            assert called.status == 0, called.stderr
        joined = re.findall(r'"joined the room".*?"pid": (\d+)', started.output)
        while len(joined) < 2:
            await started.reads()
            joined = re.findall(r'"joined the room".*?"pid": (\d+)', started.output)
        assert len(set(joined)) == 2
        assert await started.stop(signal.SIGINT) == 0


def listened_on(supervisor: int) -> set[str]:
    """The addresses at which a worker and all its processes take connections."""
    first = psutil.Process(supervisor)
    return {
        connection.laddr.ip
        for process in (first, *first.children(recursive=True))
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }


def has_the_native_sdk(process: psutil.Process) -> bool:
    return "liblivekit_ffi" in Path(f"/proc/{process.pid}/maps").read_text()


async def registered(running: RunningCommand, how_many: int) -> list[int]:
    """The process IDs of the first so many workers that have registered."""
    while (
        len(found := re.findall(r'"registered worker".*?"pid": (\d+)', running.output)) < how_many
    ):
        await running.reads()
    return [int(pid) for pid in found]


BLOCKING_TOOL = """
import re
import toolkit
import tools

@toolkit.tool
async def stand_still() -> str:
    "Blocks the loop that it runs on, and the interpreter."
    return str(re.match("(a+)+$", "a" * 64 + "b"))

tools.TOOLS += (stand_still,)
"""


@pytest.mark.lengthy
@pytest.mark.timeout(180)
async def test_those_that_are_stuck_are_replaced(agent: CommandLine, room_name: str) -> None:
    """One whose rooms loop is in a call that does not return, and one that is stopped."""
    (agent.directory / "sitecustomize.py").write_text(BLOCKING_TOOL)
    settings = {"AGENT_NAME": f"{room_name}-worker", "HEARTBEAT_TIMEOUT": "5"}
    path = f"{agent.directory}{os.pathsep}{agent.environ['PYTHONPATH']}"
    async with agent.running("start", "--processes", "2", PYTHONPATH=path, **settings) as started:
        workers = await registered(started, 2)
        async with agent.running("call", "standStill", "--room", room_name, **settings):
            await started.says("joined the room")
            joined = re.search(r'"joined the room".*?"pid": (\d+)', started.output)
            assert joined is not None
            blocked = int(joined[1])
            await started.says(f"worker process {blocked} is stuck (its rooms loop has not run")
        [other] = set(workers) - {blocked}
        os.kill(other, signal.SIGSTOP)
        await started.says(f"worker process {other} is stuck (its rooms loop has not run")
        assert "in stand_still" in started.output
        assert not set(workers) & set((await registered(started, 4))[2:])
        called = await agent.run("call", "ping", "--room", f"{room_name}-2", **settings)
        assert called.status == 0, called.stderr
        assert await started.stop(signal.SIGTERM) == 0


WAITING_TOOL = """
import os
import toolkit
import tools

@toolkit.tool
async def stand_still() -> str:
    "Blocks the loop that it runs on until somebody reads the file."
    with open("blocked", "w"):
        return "done"

tools.TOOLS += (stand_still,)
"""


@pytest.mark.lengthy
@pytest.mark.timeout(180)
async def test_a_single_process_reports_that_it_is_stuck_and_ends_on_request(
    agent: CommandLine, room_name: str
) -> None:
    (agent.directory / "sitecustomize.py").write_text(WAITING_TOOL)
    os.mkfifo(agent.directory / "blocked")
    settings = {"AGENT_NAME": f"{room_name}-worker", "HEARTBEAT_TIMEOUT": "6"}
    path = f"{agent.directory}{os.pathsep}{agent.environ['PYTHONPATH']}"
    async with agent.running("start", "--processes", "1", PYTHONPATH=path, **settings) as started:
        await started.says("registered worker")
        port = re.search(r"HTTP server listening on [^ ]*:(\d+)", started.output)
        assert port is not None
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port[1]}") as client:
            assert await asked(client) == (200, "OK")
            async with agent.running("call", "standStill", "--room", room_name, **settings):
                await started.says("joined the room")
                while (health := await asked(client))[0] == 200:
                    pass
            assert health[0] == 503
            assert health[1].startswith("the rooms loop has not run for")
            for path in ("/healthz", "/readyz"):
                status, said = await asked(client, path)
                assert (status, "the rooms loop has not run for" in said) == (503, True)
        assert await started.stop(signal.SIGTERM) == 1
    assert "in stand_still" in started.output


async def asked(client: aiohttp.ClientSession, path: str = "/") -> tuple[int, str]:
    async with client.get(path) as answer:
        return answer.status, await answer.text()


@pytest.mark.timeout(180)
async def test_those_that_die_are_replaced(agent: CommandLine, room_name: str) -> None:
    """By workers with the settings of the first ones, whatever the file says by then."""
    name = f"{room_name}-worker"
    dotenv = agent.directory / ".env"
    dotenv.write_text(f"AGENT_NAME={name}\n")
    async with agent.running("start", "--processes", "2", AGENT_NAME="") as started:
        workers = [psutil.Process(pid) for pid in await registered(started, 2)]
        await started.says(HANDED_OVER)
        supervisor = psutil.Process(started.process.pid)
        assert not has_the_native_sdk(supervisor)
        assert all(has_the_native_sdk(worker) for worker in workers)
        assert supervisor.memory_info().rss < min(w.memory_info().rss for w in workers) / 3
        dotenv.write_text("AGENT_NAME=another\nLLM_TIMEOUT=never\n")
        for worker in workers:
            worker.kill()
        replacements = [psutil.Process(pid) for pid in (await registered(started, 4))[2:]]
        assert set(replacements) == set(supervisor.children())
        dotenv.unlink()
        called = await agent.run("call", "ping", "--room", room_name, AGENT_NAME=name)
        assert called.status == 0, called.stderr
        assert await started.stop(signal.SIGTERM) == 0
    assert psutil.wait_procs(replacements, timeout=0)[1] == []


@pytest.mark.lengthy
@pytest.mark.timeout(180)
async def test_a_signal_has_all_processes_log_more_and_another_one_less(agent: CommandLine) -> None:
    async with agent.running("start", "--processes", "2") as started:
        await registered(started, 2)
        await started.says(HANDED_OVER)
        for level in ("DEBUG", "INFO"):
            os.kill(started.process.pid, signal.SIGUSR1)
            while started.output.count(f"log level set to {level}") < 3:
                await started.reads()
        assert await started.stop() == 0
