"""SlowLink: a UDP relay with a configurable bandwidth."""

from __future__ import annotations

import asyncio
from typing import Final, Self, TypeAlias

_QUEUE_SECONDS: Final = 0.3
"""Longest queueing delay; later packets are dropped, as in a router."""

Address: TypeAlias = tuple[str, int]


class SlowLink:
    """Passes UDP on between a client and a server on this machine.

    What the server sends takes turns on one link. What the client sends passes at once.
    """

    def __init__(self) -> None:
        self._bits_per_second: int | None = None
        self._free_at = 0.0
        self._entrances: dict[Address, int] = {}
        self._transports: list[asyncio.DatagramTransport] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for transport in self._transports:
            transport.abort()

    def bear(self, bits_per_second: int | None) -> None:
        """Sets the bandwidth; None: unlimited."""
        self._bits_per_second = bits_per_second

    async def entrance(self, host: str, port: int) -> int:
        """The port of `host` that leads to this `port` of it."""
        server = (host, port)
        if server not in self._entrances:
            entrance = _Entrance(self, server)
            transport = await self.open(entrance, local_addr=(host, 0))
            self._entrances[server] = transport.get_extra_info("sockname")[1]
        return self._entrances[server]

    async def open(
        self,
        protocol: asyncio.DatagramProtocol,
        *,
        local_addr: Address | None = None,
        remote_addr: Address | None = None,
    ) -> asyncio.DatagramTransport:
        """A socket that is closed with the link."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: protocol, local_addr=local_addr, remote_addr=remote_addr
        )
        self._transports.append(transport)
        return transport

    def send(self, transport: asyncio.DatagramTransport, data: bytes, to: Address) -> None:
        """Passes a packet to the client when the link is free."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._bits_per_second is None:
            transport.sendto(data, to)
            return
        begins = max(now, self._free_at)
        if begins - now > _QUEUE_SECONDS:
            return
        self._free_at = begins + 8 * len(data) / self._bits_per_second
        loop.call_at(self._free_at, _deliver, transport, data, to)


def _deliver(transport: asyncio.DatagramTransport, data: bytes, to: Address) -> None:
    if not transport.is_closing():
        transport.sendto(data, to)


class _Entrance(asyncio.DatagramProtocol):
    """Where clients send to."""

    def __init__(self, link: SlowLink, server: Address) -> None:
        self._link = link
        self._server = server
        self._ways: dict[Address, asyncio.Task[asyncio.DatagramTransport]] = {}
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Address) -> None:
        way = self._ways.get(addr)
        if way is None:
            exit_ = _Exit(self, addr)
            way = asyncio.create_task(self._link.open(exit_, remote_addr=self._server))
            self._ways[addr] = way
        if way.done():  # the first packets are connectivity checks, which come again
            way.result().sendto(data)

    def answer(self, data: bytes, client: Address) -> None:
        if self._transport is not None:
            self._link.send(self._transport, data, client)


class _Exit(asyncio.DatagramProtocol):
    """The socket that the server sees as the client."""

    def __init__(self, entrance: _Entrance, client: Address) -> None:
        self._entrance = entrance
        self._client = client

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._entrance.answer(data, self._client)
