"""Program: a process of the benchmark, with its output, its resources and its log."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from agent.processes.child_process import bound

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

ROOT: Final = Path(__file__).parent.parent
CPUCLOCK_SCHED: Final = 2
"""Linux: the clock of the processor time of a process (clock_getcpuclockid(3))."""
ENDING_TAKES: Final = 2.0
"""Seconds; a worker would wait at its end for rooms that nobody is in any more."""
MAX_LINE: Final = 2**20
QUIET: Final = 0.25
"""Cores that a program which has settled uses at most: rooms in which nobody speaks use some."""
SETTLING_TAKES: Final = 10.0


class BenchError(Exception):
    """Something that had to happen did not; the message says what, and where the log is."""


class Program:
    """A process with all that it starts. Use `running`."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self._process = process
        self._log = log
        self.started_at = time.perf_counter()

    async def line(self, matches: Callable[[bytes], bool], *, within: float) -> bytes:
        """The next line on its standard output that matches.

        Raises:
            BenchError: it ended, or said nothing like it in so many seconds.
        """
        assert self._process.stdout is not None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                async for line in self._process.stdout:
                    self._keep(line)
                    if matches(line):
                        return line
        raise BenchError(f"{self.name} does not go on; see {self._log}")

    async def keep_log(self) -> None:
        """Reads on, for the log, until it ends."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self._keep(line)

    @property
    def log(self) -> Path:
        """The path of its log."""
        return self._log

    @property
    def is_running(self) -> bool:
        return self._process.returncode is None

    def tell(self, line: str) -> None:
        """Writes a line to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")

    def processes(self) -> set[int]:
        """Its process id, and those of all that it started."""
        return {process.pid for process in self._family()}

    def memory(self) -> float:
        """MB of the program and of all that it started; shared pages count in shares (PSS)."""
        return sum(_memory(process) for process in self._family()) / 2**20

    def cpu(self) -> float:
        """Seconds of processor time that it has used so far, with all that it started."""
        return sum(_cpu(process) for process in self._family())

    async def settle(self) -> None:
        """Returns when the program is idle, or after a limit."""
        give_up = time.perf_counter() + SETTLING_TAKES
        while time.perf_counter() < give_up:
            before, at = self.cpu(), time.perf_counter()
            await asyncio.sleep(0.5)
            if self.cpu() - before < QUIET * (time.perf_counter() - at):
                return

    def _family(self) -> list[psutil.Process]:
        try:
            first = psutil.Process(self._process.pid)
            return [first, *first.children(recursive=True)]
        except psutil.Error as error:
            raise BenchError(f"{self.name} has ended; see {self._log}") from error

    def _keep(self, line: bytes) -> None:
        with self._log.open("ab") as log:
            log.write(line)

    async def end(self) -> None:
        """Ends it by SIGTERM, and then kills everything that is left of it."""
        others: list[psutil.Process] = []
        if self._process.returncode is None:
            with contextlib.suppress(psutil.NoSuchProcess):  # it has ended in this moment
                others = psutil.Process(self._process.pid).children(recursive=True)
        if self._process.returncode is None:
            self._process.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ENDING_TAKES):
                    await self._process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for process in others:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()  # psutil knows a process that only has the number of another
        await self._process.wait()


@contextlib.asynccontextmanager
async def running(
    name: str,
    command: Sequence[str],
    *,
    logs: Path,
    environ: Mapping[str, str] | None = None,
    merged: bool = False,
) -> AsyncGenerator[Program]:
    """A program that runs in `logs`, where its log is kept, and ends with the benchmark.

    With `merged`, its standard error counts as standard output; otherwise it goes to the log.
    """
    path = logs / f"{name}.log"
    with path.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *bound(command),
            cwd=logs,
            env={**_environ(), **(environ or {})},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT if merged else log,
            limit=MAX_LINE,
            start_new_session=True,
        )
    program = Program(name, process, path)
    try:
        yield program
    finally:
        await program.end()


def _environ() -> dict[str, str]:
    """The environment that a program inherits. It keeps its bytecode, as an image has it: only the
    first start after a change compiles the sources that it imports."""
    inherited = dict(os.environ)
    inherited.pop("PYTHONDONTWRITEBYTECODE", None)
    path = [str(ROOT), inherited.get("PYTHONPATH", "")]
    return {**inherited, "PYTHONPATH": os.pathsep.join(filter(None, path))}


def _memory(process: psutil.Process) -> int:
    try:
        used = process.memory_full_info()
    except psutil.Error:
        return 0  # It has ended since.
    return getattr(used, "pss", used.uss)


def _cpu(process: psutil.Process) -> float:
    """Seconds of a process; to the microsecond where there is a clock for it, or to a hundredth."""
    try:
        if sys.platform == "linux":
            return time.clock_gettime(~process.pid << 3 | CPUCLOCK_SCHED)
        used = process.cpu_times()
    except (OSError, psutil.Error):
        return 0.0  # It has ended since.
    return used.user + used.system
