"""A whole worker, and the commands, behind a proxy."""

from __future__ import annotations

import re
import signal

import pytest

from devserver.model import DemoModel
from tests.agent.cli.command_line import CommandLine
from tests.forward_proxy import forward_proxy

NOWHERE = "http://127.0.0.1:9"
"""Port 9 of the loopback: nothing is there."""


def at_host(url: str, host: str) -> str:
    """The URL, with another name for this machine that only a proxy knows."""
    return re.sub(r"//[^:/]+", f"//{host}", url)


async def test_all_connections_go_through_the_proxy(
    agent: CommandLine, room_name: str, model: DemoModel
) -> None:
    async with forward_proxy() as proxy:
        agent.environ |= {
            "HTTP_PROXY": proxy.url,
            "LIVEKIT_URL": at_host(agent.environ["LIVEKIT_URL"], "room.test"),
            "OPENAI_BASE_URL": at_host(agent.environ["OPENAI_BASE_URL"], "model.test"),
            "AGENT_NAME": f"{room_name}-worker",
        }
        async with agent.running("start", "--processes", "1") as started:
            await started.says("registered worker")
            asked = await agent.run("chat", "--room", room_name, stdin="hello\n")
            assert asked.status == 0, asked.stderr
            assert await started.stop(signal.SIGINT) == 0
    # A worker of a former test may ask at a port that was its model's.
    assert [b"hello" in each.raw for each in model.requests].count(True) == 1
    assert {"room.test", "model.test"} <= proxy.hosts
    methods = {method for method, target in proxy.asked_for if target.startswith("room.test:")}
    # The worker's WebSocket; the API; the rooms' own connections.
    assert methods == {"GET", "POST", "CONNECT"}


@pytest.mark.lengthy
async def test_loopback_is_reached_directly(agent: CommandLine, room_name: str) -> None:
    agent.environ |= {
        "HTTP_PROXY": NOWHERE,
        "HTTPS_PROXY": NOWHERE,
        "ALL_PROXY": NOWHERE,
        "AGENT_NAME": f"{room_name}-worker",
    }
    async with agent.running("start", "--processes", "1") as started:
        await started.says("registered worker")
        called = await agent.run("call", "ping", "--room", room_name)
        assert called.status == 0, called.stderr
        assert await started.stop(signal.SIGINT) == 0


@pytest.mark.lengthy
async def test_excluded_hosts_are_reached_directly(agent: CommandLine) -> None:
    """`doctor` asks the room server and the model, both at an address that is not loopback."""
    agent.environ |= {
        "HTTP_PROXY": NOWHERE,
        "NO_PROXY": "192.0.2.0/24",
        "OPENAI_BASE_URL": "http://192.0.2.1:1/v1",
    }
    done = await agent.run("doctor")
    assert "192.0.2.1" in done.stdout
    assert "127.0.0.1:9" not in done.stdout


async def test_a_socks_proxy_is_refused_in_one_sentence(agent: CommandLine) -> None:
    socks = {"ALL_PROXY": "socks5://me:pa55@127.0.0.1:1080", "OPENAI_BASE_URL": "http://model.test"}
    for command in (["start", "--processes", "1"], ["doctor"]):
        done = await agent.run(*command, **socks)
        assert done.status == (2 if command[0] == "start" else 1)
        said = done.stdout + done.stderr
        assert "ALL_PROXY: expected http://host:port for model.test, got socks5://" in said
        assert "Traceback" not in said
        assert "pa55" not in said
