"""End of speech to first audio: the worker beside a plain starter with the same pipeline.

    .venv/bin/python -m bench.voice_latency [turns]

Server, model, speech service and both workers run on this machine. Speech is real and the speech
service answers after a fixed time, so that what differs is the workers' own. Turns alternate.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import sys
import tempfile
import uuid
from collections.abc import AsyncGenerator
from pathlib import Path

from livekit import api, rtc

from devserver.model import DemoModel, Reply
from devserver.server import RoomServer
from tests.agent.voice.person import Ears, Microphone
from tests.agent.voice.speech import say
from tests.agent.voice.speech_server import SpeechServer

ROOT = Path(__file__).parent.parent
QUESTION = "what is the weather in Paris"
ANSWER = "The weather in Paris is sunny today."
RECOGNITION_SECONDS = 0.2
WORKERS = {"worker": "agent/worker.py", "starter": "bench/peers/voice_starter.py"}


@contextlib.asynccontextmanager
async def running(name: str, module: str, environ: dict[str, str]) -> AsyncGenerator[None]:
    with tempfile.TemporaryDirectory() as directory:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "livekit.agents", "start", str(ROOT / module)),
            cwd=directory,
            env={**os.environ, "PYTHONPATH": str(ROOT), "AGENT_NAME": name, **environ},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        assert process.stdout is not None
        output = process.stdout
        async for line in output:
            if b"registered worker" in line:
                break

        async def drain() -> None:
            async for _ in output:
                pass

        draining = asyncio.create_task(drain())
        try:
            yield
        finally:
            process.kill()
            await process.wait()
            await draining


class Caller:
    """Somebody in a room of their own with one of the workers."""

    def __init__(self) -> None:
        self.room = rtc.Room()
        self.microphone = Microphone(self.room)
        self.ears = Ears(self.room)

    async def join(self, server: RoomServer, worker: str) -> None:
        token = (
            api.AccessToken(server.api_key, server.api_secret)
            .with_identity("caller")
            .with_grants(api.VideoGrants(room_join=True, room=f"{worker}-{uuid.uuid4().hex}"))
            .with_room_config(
                api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name=worker)])
            )
        )
        await self.room.connect(server.url, token.to_jwt())
        await self.microphone.publish()

    async def turn(self) -> float:
        """Seconds from the end of the question to the first sound of the answer."""
        self.ears.forget()
        await self.microphone.say(QUESTION)
        said = asyncio.get_running_loop().time()
        await self.ears.until_quiet(1.0)
        return self.ears.audible_at[0] - said

    async def leave(self) -> None:
        await self.microphone.aclose()
        await self.ears.aclose()
        await self.room.disconnect()


async def main(turns: int) -> None:
    await say(QUESTION)
    async with (
        RoomServer(timing="instant") as server,
        DemoModel() as model,
        SpeechServer() as speech,
    ):
        model.when("", Reply(text=ANSWER))
        speech.scripted = QUESTION, RECOGNITION_SECONDS
        environ = {
            "LIVEKIT_URL": server.url,
            "LIVEKIT_API_KEY": server.api_key,
            "LIVEKIT_API_SECRET": server.api_secret,
            "OPENAI_BASE_URL": model.base_url,
            "SPEECH_BASE_URL": speech.base_url,
            "STT_BASE_URL": speech.base_url,
            "TTS_BASE_URL": speech.base_url,
            "HTTP_HOST": "127.0.0.1",
            "HTTP_PORT": "0",
        }
        measured: dict[str, list[float]] = {name: [] for name in WORKERS}
        async with contextlib.AsyncExitStack() as stack:
            callers: dict[str, Caller] = {}
            for name, module in WORKERS.items():
                await stack.enter_async_context(running(name, module, environ))
                callers[name] = Caller()
                await callers[name].join(server, name)
                stack.push_async_callback(callers[name].leave)
            for number in range(turns + 1):
                for name, caller in callers.items():
                    seconds = await caller.turn()
                    if number:  # The first one loads models and opens connections.
                        measured[name].append(seconds * 1000)
    print("end of speech to first audio, ms")
    for name, times in measured.items():
        each = " ".join(f"{time:.0f}" for time in sorted(times))
        print(f"{name:8} median {statistics.median(times):.0f}, all {each}")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 8))
