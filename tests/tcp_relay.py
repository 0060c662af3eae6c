"""TcpRelay: a way to a server that a test can interrupt."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Self


class TcpRelay:
    """Passes connections on to a server on this machine.

    While it is cut, it closes them; while it is stalled, it holds back what comes.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._is_cut = False
        self._flows = asyncio.Event()
        self._flows.set()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._copies: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cut()
        self._flows.set()
        if self._server is not None:
            self._server.close()
        await asyncio.gather(*self._copies, return_exceptions=True)

    @property
    def port(self) -> int:
        if self._server is None:
            raise RuntimeError("the relay has not been started")
        return self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Resets all connections, and those that come from now on."""
        self._is_cut = True
        for writer in self._writers:
            writer.transport.abort()

    def stall(self) -> None:
        """Passes nothing on from now on."""
        self._flows.clear()

    def mend(self) -> None:
        """Passes new connections on again, and what was held back."""
        self._is_cut = False
        self._flows.set()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            # The server is being restarted.
            writer.transport.abort()
            return
        for source, target in ((reader, there_writer), (there_reader, writer)):
            copy = asyncio.create_task(self._copy(source, target))
            self._copies.add(copy)
            copy.add_done_callback(self._copies.discard)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with contextlib.suppress(OSError):
            while part := await reader.read(2**16):
                await self._flows.wait()
                writer.write(part)
                await writer.drain()
        self._writers.discard(writer)
        writer.close()
