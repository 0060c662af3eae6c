"""The memory and the connections of a worker, with and without a voice."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import os
import socket
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import pytest
from livekit import api

from devserver.model import DemoModel, Reply
from tests.agent.voice.conftest import Person
from tests.agent.voice.departures import departures
from tests.agent.voice.speech_server import SpeechServer
from tests.room_server import RoomServerUnderTest

ROOT = Path(__file__).parents[3]
NOISE_KB = 10_240
"""By how much two processes differ that do the same."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")


@dataclass
class State:
    rss: int
    modules: list[str]
    reached: list[str]


@dataclass
class Probe:
    """A worker in a process of its own."""

    name: str
    process: asyncio.subprocess.Process

    async def state(self) -> State:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        return await self.next_state()

    async def next_state(self) -> State:
        assert self.process.stdout is not None
        async with asyncio.timeout(20):
            async for line in self.process.stdout:
                if line.startswith(b'{"rss"'):
                    return State(**json.loads(line))
        raise AssertionError("the worker ended")


@contextlib.asynccontextmanager
async def running_worker(
    name: str, room_server: RoomServerUnderTest, directory: Path, **environ: str
) -> AsyncGenerator[Probe]:
    kept = {each: os.environ[each] for each in ("PATH", "HOME") if each in os.environ}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.agent.voice.worker_probe"),
        cwd=directory,
        env={
            **kept,
            "PYTHONPATH": str(ROOT),
            "LIVEKIT_URL": room_server.url,
            "LIVEKIT_API_KEY": room_server.api_key,
            "LIVEKIT_API_SECRET": room_server.api_secret,
            "AGENT_NAME": name,
            "HTTP_HOST": "127.0.0.1",
            "HTTP_PORT": "0",
            **environ,
        },
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=2**22,
    )
    try:
        probe = Probe(name, process)
        await probe.next_state()
        yield probe
    finally:
        process.kill()
        await process.wait()


async def join(room_server: RoomServerUnderTest, room: str, worker: str) -> Person:
    person = Person()
    token = room_server.access_token("alice", room).with_room_config(
        api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name=worker)])
    )
    await person.room.connect(room_server.url, token.to_jwt())
    return person


def test_a_datagram_is_seen_to_leave() -> None:
    leaving = departures(loopback=True)
    if leaving is None:
        pytest.skip("only root may watch packets (CAP_NET_RAW)")
    unheard = ("127.0.0.77", 9)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"?", unheard)
        assert ipaddress.ip_address(unheard[0]) in leaving


async def test_only_a_room_with_a_microphone_costs_memory_and_nothing_calls_home(
    room_server: RoomServerUnderTest,
    room_name: str,
    model: DemoModel,
    speech: SpeechServer,
    tmp_path: Path,
) -> None:
    model.when("", Reply(text="Good morning."))
    environ = {
        "OPENAI_BASE_URL": model.base_url,
        "STT_BASE_URL": speech.base_url,
        "TTS_BASE_URL": speech.base_url,
    }
    states: dict[str, State] = {}
    for voice in ("off", "auto"):
        name = f"probe-{voice}-{room_name}"
        async with running_worker(name, room_server, tmp_path, VOICE=voice, **environ) as worker:
            alice = await join(room_server, f"{room_name}-{voice}", name)
            try:
                await alice.until_ready()
                await alice.ask("Good morning.")
                states[voice] = await worker.state()
                if voice == "auto":
                    await alice.microphone.publish()
                    await alice.until(lambda a=alice: a.agent and a.agent.track_publications)
                    await alice.microphone.say("what is the weather in Paris")
                    asked = await alice.heard()
                    await alice.answer_to(asked.attributes["lk.segment_id"])
                    states["spoken"] = await worker.state()
            finally:
                await alice.microphone.aclose()
                await alice.ears.aclose()
                await alice.room.disconnect()
    of_voice = ("agent.voice.", "agent.models.speech", "onnxruntime", "livekit.plugins.")
    # In every room: what opens the voice, and what keeps what was said before it.
    in_every_room = {"agent.voice.voice_switch", "agent.voice.pre_connect_audio"}
    loaded = {
        voice: [m for m in each.modules if m.startswith(of_voice) and m not in in_every_room]
        for voice, each in states.items()
    }
    assert loaded["off"] == loaded["auto"] == []
    assert "agent.models.speech" in loaded["spoken"]
    assert states["auto"].rss < states["off"].rss + NOISE_KB
    assert states["spoken"].rss > states["auto"].rss + 100 * 1024  # The measure measures.
    if room_server.webhooks is not None:  # A running one may be anywhere, and name STUN servers.
        assert [each.reached for each in states.values()] == [[], [], []]
