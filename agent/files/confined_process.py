"""A process of its own that reads people's files, and returns their content.

A file may be made to exploit a library. Such a process has none of the worker's
environment, and the module that it runs calls `confine` before it reads anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path
from typing import BinaryIO, Final

import agent
from agent.tasks import Tasks

MAX_OUTPUT_BYTES: Final = 8 * 2**20
_ROOT: Final = Path(agent.__file__).parent.parent


class UnreadableError(Exception):
    """A file could not be read."""


async def run_confined(
    module: str, *arguments: str, source: BinaryIO | bytes, within: float
) -> bytes:
    """Runs a module as a process with `source` as its standard input; returns its output.

    Args:
        source: an open file, or the content itself.
        within: seconds after which the process is killed.

    Raises:
        UnreadableError: it failed, took too long, or wrote more than 8 MiB.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", module, *arguments),
        cwd=_ROOT,
        env={},  # none of the worker's secrets
        stdin=asyncio.subprocess.PIPE if isinstance(source, bytes) else source,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    tasks = Tasks()
    if isinstance(source, bytes):
        tasks.start(_write(process, source), name="input of a confined process")
    try:
        async with asyncio.timeout(within):
            return await _output(process)
    except TimeoutError:
        raise UnreadableError(f"it took longer than {within:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await tasks.aclose()


async def _write(process: asyncio.subprocess.Process, content: bytes) -> None:
    if process.stdin is None:
        return
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(content)
        await process.stdin.drain()
        process.stdin.close()


async def _output(process: asyncio.subprocess.Process) -> bytes:
    if process.stdout is None:
        raise UnreadableError("no output")
    found = bytearray()
    while piece := await process.stdout.read(2**16):
        found += piece
        if len(found) > MAX_OUTPUT_BYTES:
            raise UnreadableError("too much in it")
    if await process.wait():
        raise UnreadableError("it is damaged, or too large when unpacked")
    return bytes(found)
