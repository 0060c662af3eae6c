"""An HTTP proxy on loopback to which every host is this machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

MAX_HEADERS = 65_536


class ForwardProxy:
    """Passes CONNECT tunnels and plain requests on to the port that they name, on loopback.

    Attributes:
        url: what goes into HTTP_PROXY.
        authorized: what each request said in Proxy-Authorization, if anything.
        asked_for: method and `host:port` of each request, in their order.
    """

    def __init__(self) -> None:
        self.url = ""
        self.asked_for: list[tuple[str, str]] = []
        self.authorized: list[str | None] = []
        self._pipes: set[asyncio.Task[None]] = set()

    @property
    def hosts(self) -> set[str]:
        return {target.partition(":")[0] for _, target in self.asked_for}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._pipes.add(task)
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._serve(reader, writer)
        finally:
            self._pipes.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        lines = [line.partition(b": ") for line in head.split(b"\r\n")]
        said = (value for name, _, value in lines if name.lower() == b"proxy-authorization")
        self.authorized.append(next(said, b"").decode() or None)
        parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
        port = parts.port or 80
        self.asked_for.append((method, f"{parts.hostname}:{port}"))
        from_server, to_server = await asyncio.open_connection("127.0.0.1", port)
        try:
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                # Servers take the absolute form, too (RFC 9112, 3.2.2).
                to_server.write(head)
            await asyncio.gather(_pipe(reader, to_server), _pipe(from_server, writer))
        finally:
            to_server.close()

    async def aclose(self) -> None:
        pipes = tuple(self._pipes)
        for pipe in pipes:
            pipe.cancel()
        await asyncio.gather(*pipes, return_exceptions=True)


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(MAX_HEADERS):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


@asynccontextmanager
async def forward_proxy() -> AsyncGenerator[ForwardProxy]:
    proxy = ForwardProxy()
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, limit=MAX_HEADERS)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        await proxy.aclose()
