"""DevWorkers: runs the worker of `dev`, and replaces it when the app changes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from agent.cli.app_files import AppFiles
from agent.cli.command import WRONG_SETTINGS, CommandError, complain
from agent.cli.dev_worker import LEAVE
from agent.processes.child_process import running
from agent.processes.python_command import module

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Mapping

REGISTERING_TAKES: Final = 60.0
"""Seconds until the worker is registered: on a slow machine importing alone takes many."""

LEAVING_TAKES: Final = 10.0
"""Seconds until a worker has said which jobs it has."""

MAX_LINE: Final = 16 * 2**20
"""Bytes of a worker's report: the jobs of all its rooms, with their metadata."""


@dataclass(slots=True)
class _Worker:
    """A worker that is registered; `stack` ends it."""

    process: Process
    told: asyncio.StreamReader
    stack: contextlib.AsyncExitStack


class DevWorkers:
    """Runs one worker, and replaces it when files of its app change.

    The next worker has to be registered before the previous one leaves; if the app cannot be
    loaded, the previous one keeps running. Rooms keep their agent: the next worker joins the rooms
    of the previous one.

    Attributes:
        files: of the app.
    """

    def __init__(self, environ: Mapping[str, str], log_level: str, server_url: str) -> None:
        self.files = AppFiles()
        self._environ = environ
        self._log_level = log_level
        self._server_url = server_url
        self._current: _Worker | None = None

    @property
    def process(self) -> Process:
        """The worker that is registered."""
        assert self._current is not None  # noqa: S101 - `start` is called first
        return self._current.process

    async def start(self) -> None:
        """Returns when the first worker is registered. Raises CommandError."""
        self._current = await self._started()

    async def reload(self) -> bool:
        """Replaces the worker; False if the next one could not be started."""
        former = self._current
        assert former is not None  # noqa: S101 - `start` is called first
        try:
            successor = await self._started()
        except CommandError as error:
            complain(
                str(error) or "the changed app cannot be loaded: the previous version keeps running"
            )
            return False
        self._current = successor
        jobs = await _jobs_of(former)
        await former.stack.aclose()
        if jobs is not None and successor.process.stdin is not None:
            successor.process.stdin.write(jobs)
            await successor.process.stdin.drain()
        return True

    async def aclose(self) -> None:
        """Ends the worker."""
        await self.files.aclose()
        if self._current is not None:
            await self._current.stack.aclose()

    async def _started(self) -> _Worker:
        stack = contextlib.AsyncExitStack()
        try:
            readable, writable = os.pipe()
            arguments = [str(os.getpid()), str(writable), self._log_level]
            command = [sys.executable, *module("agent.cli.dev_worker"), *arguments]
            told = await _reader(stack, readable)
            try:
                worker = running(command, self._environ, pass_fds=[writable])
                process = await stack.enter_async_context(worker)
            finally:
                os.close(writable)
            await self.files.watch(json.loads(await self._first_line(process, told)))
        except BaseException:
            await stack.aclose()
            raise
        return _Worker(process, told, stack)

    async def _first_line(self, process: Process, told: asyncio.StreamReader) -> bytes:
        try:
            async with asyncio.timeout(REGISTERING_TAKES):
                line = await told.readline()
                if not line and await process.wait() == WRONG_SETTINGS:
                    # It has printed the error.
                    raise CommandError("", WRONG_SETTINGS)
        except TimeoutError:
            raise CommandError(
                f"the worker was not registered at {self._server_url} within "
                f"{REGISTERING_TAKES:g} s"
            ) from None
        if not line:
            raise CommandError("the worker ended before it was registered; see its log above")
        return line


async def _jobs_of(worker: _Worker) -> bytes | None:
    """The jobs of a worker that is about to be stopped, on one line; None if it does not report
    them."""
    if worker.process.stdin is None:
        return None
    try:
        async with asyncio.timeout(LEAVING_TAKES):
            worker.process.stdin.write(f"{LEAVE}\n".encode())
            await worker.process.stdin.drain()
            return await worker.told.readline() or None
    except (TimeoutError, ConnectionError, ValueError):
        return None


async def _reader(stack: contextlib.AsyncExitStack, descriptor: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=MAX_LINE)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb")
    )
    stack.callback(transport.close)
    return reader
