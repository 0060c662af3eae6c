"""Stage: a room server, a model and one worker, each a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bench.clients import AGENT_WITHIN, opened
from bench.programs import Program, running
from bench.room_server import LOOPBACK, RoomServer, free_port

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from bench.clients import Clients
    from bench.peers import Peer

REGISTERING_TAKES: Final = 60.0
MODEL_TAKES: Final = 15.0


@contextlib.asynccontextmanager
async def model(logs: Path) -> AsyncGenerator[str]:
    """The scripted model; its address."""
    command = [sys.executable, "-m", "bench.model"]
    async with running("model", command, logs=logs) as program:
        yield (await program.line(bool, within=MODEL_TAKES)).decode().strip()


@dataclass
class Stage:
    """A worker that has registered, with everything around it.

    Attributes:
        registered: seconds from its start until all its processes had registered.
        worker: its process.
    """

    peer: Peer
    server: RoomServer
    worker: Program
    agent_name: str
    clients: Clients
    registered: float
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def new_room(self) -> str:
        """The name of a room that nobody has been in."""
        return f"{self.agent_name}-{next(self._numbers)}"

    async def join(self, room: str, *, within: float = AGENT_WITHIN) -> float | None:
        """Somebody joins; returns the ms until an agent was ready, None if none was in time."""
        name = self.agent_name if self.peer.workers else ""
        if not self.peer.workers:
            token = self.server.token("agent", room)
            self.worker.tell(json.dumps({"url": self.server.url, "token": token}))
        token = self.server.token("somebody", room, name)
        return await self.clients.join(room, self.server.url, token, within=within)


@contextlib.asynccontextmanager
async def set_up(
    peer: Peer, server: RoomServer, model_url: str, logs: Path
) -> AsyncGenerator[Stage]:
    """Starts a worker, and clients for it."""
    name = f"{peer.name}-{uuid.uuid4().hex[:6]}"
    place = logs / name
    place.mkdir()
    environ = {
        **server.environ,
        "OPENAI_BASE_URL": model_url,
        "OPENAI_API_KEY": "none",
        "AGENT_NAME": name,
        "HTTP_HOST": LOOPBACK,
        "HTTP_PORT": "0",
        "OPENRTC_PORT": str(free_port()),
        "AGENTS_JS_PORT": str(free_port()),
        **peer.environ,
    }
    async with contextlib.AsyncExitStack() as stack:
        people = await stack.enter_async_context(opened(peer.topic, place))
        await people.rehearse(server)
        begun = time.perf_counter()
        worker = await stack.enter_async_context(
            running("worker", peer.command, logs=place, environ=environ, merged=True)
        )
        sign = b"registered worker" if peer.workers else b"ready"
        for _ in range(peer.workers or 1):
            await worker.line(lambda said: sign in said, within=REGISTERING_TAKES)
        registered = time.perf_counter() - begun
        reading = asyncio.create_task(worker.keep_log(), name="log of the worker")
        stack.callback(reading.cancel)
        try:
            yield Stage(peer, server, worker, name, people, registered)
        finally:
            await people.leave_all()
