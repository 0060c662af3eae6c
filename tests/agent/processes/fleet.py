"""Fleet: real worker processes under supervisors, for tests that kill them."""

from __future__ import annotations

import asyncio
import re
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.agent.cli.command_line import CommandLine, RunningCommand

WITHIN: Final = 60.0
JOINED: Final = r'"joined the room".*?"pid": (\d+)'


@dataclass
class Supervisor:
    """A running `start`, whose output is read all the time."""

    running: RunningCommand
    _reading: asyncio.Task[None] | None = None
    _read: asyncio.Event = field(default_factory=asyncio.Event)

    def read(self) -> None:
        self._reading = asyncio.create_task(self._read_all())

    async def says(self, pattern: str, times: int = 1) -> list[str]:
        """The values of the pattern's group, once the output has matched this often."""
        async with asyncio.timeout(WITHIN):
            while len(found := re.findall(pattern, self.running.output)) < times:
                self._read.clear()
                await self._read.wait()
        return found

    async def aclose(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        # For the report of a failed test.
        sys.stdout.write(self.running.output)

    async def _read_all(self) -> None:
        while True:
            await self.running.reads()
            self._read.set()


@dataclass
class Fleet:
    """Supervisors with one dispatch name and one database."""

    environ: dict[str, str]
    directory: Path
    stack: AsyncExitStack
    name: str

    async def start(self, processes: int, *, machine: str = "one", **environ: str) -> Supervisor:
        """Another supervisor; those of one `machine` see each other's processes."""
        runtime = self.directory / machine
        runtime.mkdir(exist_ok=True)
        command = CommandLine(
            self.directory, **self.environ, XDG_RUNTIME_DIR=str(runtime), **environ
        )
        started = command.running("start", "--processes", str(processes))
        supervisor = Supervisor(await self.stack.enter_async_context(started))
        supervisor.read()
        self.stack.push_async_callback(supervisor.aclose)
        await supervisor.says("registered worker", processes)
        return supervisor
