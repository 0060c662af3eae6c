"""Programs that `dev` runs beside itself, and that end with it however it ends."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

ENDING_TAKES: Final = 12.0
"""Seconds until a program that was told to end is killed; a worker gives its rooms ten."""

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h


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
        # Also what it may have left behind. The group keeps its number while anyone is in it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def end_with_parent(parent: int) -> None:
    """Lets this process be ended as soon as `parent` is gone, even if that was killed.

    On Linux the kernel sees to it, and it survives an exec; elsewhere a thread notices that
    standard input has ended.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            raise SystemExit("the process that started this one is gone")
        return

    def wait() -> None:
        while os.read(0, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True, name="end-with-parent").start()


def bound(command: Sequence[str]) -> list[str]:
    """A command that runs another program so that it ends with this process."""
    return [sys.executable, "-m", "agent.processes.child_process", str(os.getpid()), *command]


def main(arguments: list[str]) -> None:
    """Becomes the program that `arguments` name after the parent's process id."""
    end_with_parent(int(arguments[0]))
    os.execvp(arguments[1], arguments[1:])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
