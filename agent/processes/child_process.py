"""Programs that `dev` runs beside itself, and that end with it however it ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Final

from agent.processes.parent import end_with_parent
from agent.processes.python_command import module

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

ENDING_TAKES: Final = 12.0
"""Seconds from SIGTERM until a program is killed; a worker gives its rooms ten."""


@contextlib.asynccontextmanager
async def running(
    command: Sequence[str],
    environ: Mapping[str, str],
    *,
    pass_fds: Sequence[int] = (),
    quiet: bool = False,
) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Runs a program, and ends it with everything that it started.

    It has a process group of its own, so Ctrl-C in the terminal reaches `dev` alone, which ends
    its programs in order. Its standard input is a pipe that is closed when this process ends.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environ,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL if quiet else None,
        stderr=asyncio.subprocess.DEVNULL if quiet else None,
        pass_fds=pass_fds,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    try:
        if process.returncode is None:
            process.terminate()
            async with asyncio.timeout(ENDING_TAKES):
                await process.wait()
    except TimeoutError:
        pass
    finally:
        # Its own children, too. The group keeps its number while anyone is in it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def bound(command: Sequence[str]) -> list[str]:
    """A command that runs another program so that it ends with this process."""
    ours = module("agent.processes.child_process")
    return [sys.executable, *ours, str(os.getpid()), *command]


def main(arguments: list[str]) -> None:
    """Executes the program that `arguments` name after the parent's process id."""
    end_with_parent(int(arguments[0]))
    os.execvp(arguments[1], arguments[1:])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
