"""The floor: a bare rtc client that answers, without a worker and without a model.

`python -m bench.peers.floor`: each line of standard input is a room to join, as the JSON
`{"url", "token"}`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from livekit import rtc

from bench import stamps
from bench.pipes import lines_of_stdin


class Answerer:
    """One room in which every question is answered at once."""

    def __init__(self) -> None:
        self._room = rtc.Room()
        self._tasks = set[asyncio.Task[None]]()
        self._room.register_text_stream_handler("lk.chat", self._on_question)

    async def join(self, url: str, token: str) -> None:
        await self._room.connect(url, token)
        self._room.local_participant.register_rpc_method("ping", _pong)
        await self._room.local_participant.set_attributes({"lk.agent.state": "listening"})

    def _on_question(self, reader: rtc.TextStreamReader, _: str) -> None:
        task = asyncio.create_task(self._answer(reader))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, reader: rtc.TextStreamReader) -> None:
        tokens, delay = stamps.wanted(await reader.read_all())
        arrived = stamps.now()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        writer = await self._room.local_participant.stream_text(topic="lk.transcription")
        for number in range(tokens):
            if delay:
                await asyncio.sleep(begun + number * delay - loop.time())
            await writer.write(stamps.token(None if number else arrived))
        await writer.aclose()


async def _pong(_: rtc.RpcInvocationData) -> str:
    return json.dumps({"pong": int(time.time() * 1000)})


async def main() -> None:
    rooms: list[Answerer] = []
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    async for line in lines_of_stdin():
        room = Answerer()
        rooms.append(room)
        await room.join(**json.loads(line))


if __name__ == "__main__":
    asyncio.run(main())
