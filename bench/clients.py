"""Clients: the people who measure, spread over processes of their own."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys
import uuid
from typing import TYPE_CHECKING, Any, Final

from bench.client import Answer
from bench.programs import BenchError, Program, running
from bench.stamps import Way

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from bench.room_server import RoomServer

PROCESSES: Final = 4
"""The clients must not become the bottleneck: the SDK's cost grows with the rooms of a process."""
AGENT_WITHIN: Final = 60.0


class ClientProcess:
    """One process with people in rooms."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._numbers = itertools.count()
        self._calls: dict[int, asyncio.Future[Any]] = {}

    async def call(self, do: str, room: str, **arguments: object) -> Any:  # noqa: ANN401 - JSON
        """Send a command to the process, and return its result.

        Raises:
            BenchError: it failed.
        """
        number = next(self._numbers)
        self._calls[number] = asyncio.get_running_loop().create_future()
        self._program.tell(json.dumps({"call": number, "do": do, "room": room, **arguments}))
        return await self._calls[number]

    async def listen(self) -> None:
        """Receives the results of calls until the process ends."""
        try:
            while True:
                said = json.loads(await self._program.line(bool, within=3600))
                call = self._calls.pop(said["call"])
                if "error" in said:
                    call.set_exception(BenchError(f"{self._program.name}: {said['error']}"))
                else:
                    call.set_result(said["result"])
        except BenchError as error:
            for call in self._calls.values():
                call.set_exception(error)


class Clients:
    """People, each in a room of their own. Use `opened`."""

    def __init__(self, processes: list[ClientProcess]) -> None:
        self._processes = processes
        self._free = itertools.cycle(processes)
        self._rooms: dict[str, ClientProcess] = {}

    async def rehearse(self, server: RoomServer) -> None:
        """Makes people in each process talk with each other, so that all have done it before."""
        for process in self._processes:
            room = f"rehearsal-{uuid.uuid4().hex}"
            tokens = [server.token(identity, room) for identity in ("reader", "writer")]
            await process.call("rehearse", room, url=server.url, tokens=tokens)

    async def join(
        self, room: str, url: str, token: str, *, within: float = AGENT_WITHIN
    ) -> float | None:
        """Returns the ms until an agent was ready there; None if there was none in time."""
        process = self._rooms[room] = next(self._free)
        return await process.call("join", room, url=url, token=token, within=within)

    async def ask(self, room: str, tokens: int, delay: float, way: Way = Way.PLAIN) -> Answer:
        """Ask a question that is answered with so many tokens, `delay` seconds apart."""
        process = self._rooms[room]
        return Answer(**await process.call("ask", room, tokens=tokens, delay=delay, way=way))

    async def vanish(self, room: str, tokens: int, delay: float) -> None:
        """Ask, and leave when the answer has begun."""
        await self._rooms.pop(room).call("vanish", room, tokens=tokens, delay=delay)

    async def send_file(self, room: str, size: int) -> None:
        """Send a file of so many bytes; returns when the agent has it."""
        await self._rooms[room].call("send_file", room, size=size)

    async def call_tools(self, room: str) -> None:
        """Call a tool that answers, and one that fails as it should."""
        await self._rooms[room].call("call_tools", room)

    async def ping(self, room: str, times: int) -> list[float]:
        """The ms that each of so many RPC calls took."""
        return await self._rooms[room].call("ping", room, times=times)

    async def leave(self, room: str) -> None:
        await self._rooms.pop(room).call("leave", room)

    async def leave_if_there(self, room: str) -> None:
        """Leaves a room, unless already left."""
        if room in self._rooms:
            await self.leave(room)

    async def leave_all(self) -> None:
        for room in list(self._rooms):
            await self.leave(room)


@contextlib.asynccontextmanager
async def opened(topic: str, logs: Path, processes: int = PROCESSES) -> AsyncGenerator[Clients]:
    """Clients that read answers on `topic`."""
    async with contextlib.AsyncExitStack() as stack:
        clients: list[ClientProcess] = []
        for number in range(processes):
            command = [sys.executable, "-m", "bench.client", topic]
            program = await stack.enter_async_context(
                running(f"client-{number}", command, logs=logs)
            )
            client = ClientProcess(program)
            listening = asyncio.create_task(client.listen(), name=f"client {number}")
            stack.callback(listening.cancel)
            clients.append(client)
        yield Clients(clients)
