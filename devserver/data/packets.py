"""The record of forwarded data packets, for tests that ask who received what."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from livekit.protocol import models


@dataclass(frozen=True, slots=True)
class ForwardedPacket:
    """One data packet on its way from one participant to another."""

    room: str
    """Name of the room."""
    sender: str
    """Identity of the sending participant; empty for one that came through SendData."""
    receiver: str
    """Identity of the receiving participant."""
    reliable: bool
    kind: str
    """Field of DataPacket that is set: ``user``, ``stream_chunk``, ``rpc_request``, …"""
    topic: str
    """Topic of a user packet or a stream header, else empty."""
    destinations: tuple[str, ...]
    """Identities that the packet was addressed to; empty means everyone."""
    packet: models.DataPacket
    """The packet as the receiver gets it."""
    size: int
    """Bytes of the serialized packet."""


class PacketRecord:
    """Keeps the last ``capacity`` forwarded packets in the order of their sending."""

    def __init__(self, capacity: int = 10_000) -> None:
        self._packets: deque[ForwardedPacket] = deque(maxlen=capacity)
        self._changed = asyncio.Event()

    def __iter__(self) -> Iterator[ForwardedPacket]:
        return iter(tuple(self._packets))

    def __len__(self) -> int:
        return len(self._packets)

    @property
    def capacity(self) -> int:
        """Packets that are kept; may be changed at any time, the newest packets stay."""
        return self._packets.maxlen or 0

    @capacity.setter
    def capacity(self, capacity: int) -> None:
        self._packets = deque(self._packets, maxlen=capacity)

    @property
    def enabled(self) -> bool:
        """Whether packets are kept at all: not with a capacity of 0."""
        return self._packets.maxlen != 0

    def add(self, packet: ForwardedPacket) -> None:
        """Keep a packet; the oldest goes when the record is full."""
        self._packets.append(packet)
        self._changed.set()

    def clear(self) -> None:
        """Forget every packet."""
        self._packets.clear()

    def matching(self, predicate: Callable[[ForwardedPacket], bool]) -> list[ForwardedPacket]:
        """Return the packets for which ``predicate`` holds."""
        return [packet for packet in self._packets if predicate(packet)]

    async def wait_for(self, predicate: Callable[[ForwardedPacket], bool]) -> ForwardedPacket:
        """Return the first packet for which ``predicate`` holds, waiting until there is one."""
        while True:
            for packet in self._packets:
                if predicate(packet):
                    return packet
            await self.wait_for_next()

    async def wait_for_next(self) -> None:
        """Wait until another packet is forwarded."""
        self._changed.clear()
        await self._changed.wait()
