"""`python -m agent` as a person runs it: a process of its own, in an empty directory."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path

from tests.log_guard import GUARD

CHECKOUT = Path(__file__).resolve().parents[3]
WITHIN = 40.0
"""Seconds that any command has, on a busy machine."""

HANDED_OVER = "small supervisor took over"


@dataclass(frozen=True, slots=True)
class Finished:
    """The result of a command: its exit status and its output."""

    status: int
    stdout: str
    stderr: str


@dataclass(slots=True)
class RunningCommand:
    """A command under way; `output` is what it has written to stdout and stderr so far."""

    process: asyncio.subprocess.Process
    output: str = field(default="")

    async def says(self, text: str) -> str:
        """Waits until the command has written this; returns all it has written."""
        async with asyncio.timeout(WITHIN):
            while text not in self.output:
                await self.reads()
        return self.output

    async def reads(self) -> None:
        """Waits for more output; its end is a failure."""
        async with asyncio.timeout(WITHIN):
            assert self.process.stdout is not None
            part = await self.process.stdout.read(4096)
        assert part, f"the command has ended:\n{self.output}"
        self.output += part.decode()

    async def ends(self) -> int:
        """Waits for its end and returns its exit status."""
        async with asyncio.timeout(WITHIN):
            assert self.process.stdout is not None
            self.output += (await self.process.stdout.read()).decode()
            return await self.process.wait()

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """Sends a signal, waits for the end, and returns the exit status."""
        self.process.send_signal(number)
        return await self.ends()


class CommandLine:
    """Runs commands with an environment of the tests' own, and nothing of the machine's."""

    def __init__(self, directory: Path, *, module: str = "agent", **environ: str) -> None:
        self.module = module
        self.directory = directory
        self.environ = {
            # No livekit-server: tests that want one put it there.
            "PATH": "/usr/bin:/bin",
            "HOME": str(directory),
            "XDG_RUNTIME_DIR": str(directory),
            "PYTHONPATH": str(CHECKOUT),
            "HTTP_PORT": "0",
            **environ,
        }

    async def run(self, *arguments: str, stdin: str = "", **environ: str) -> Finished:
        """Runs a command to its end."""
        process = await self._start(arguments, environ, stderr=asyncio.subprocess.PIPE)
        try:
            async with asyncio.timeout(WITHIN):
                stdout, stderr = await process.communicate(stdin.encode())
        finally:
            await _kill(process)
        assert process.returncode is not None
        GUARD.printed(stderr.decode())
        return Finished(process.returncode, stdout.decode(), stderr.decode())

    @contextlib.asynccontextmanager
    async def running(self, *arguments: str, **environ: str) -> AsyncGenerator[RunningCommand]:
        """A command that goes on until it is stopped; at the latest it is killed here."""
        process = await self._start(arguments, environ, stderr=asyncio.subprocess.STDOUT)
        try:
            yield (running := RunningCommand(process))
        finally:
            rest = await _kill(process)
        GUARD.printed(running.output + rest)

    async def _start(
        self, arguments: tuple[str, ...], environ: dict[str, str], stderr: int
    ) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", self.module, *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            cwd=self.directory,
            env={name: value for name, value in {**self.environ, **environ}.items() if value},
        )


async def _kill(process: asyncio.subprocess.Process) -> str:
    """Returns what was left to read of its output: no pipe stays open."""
    if process.returncode is not None:
        return ""
    process.kill()
    output, _ = await process.communicate()
    return output.decode(errors="replace")
