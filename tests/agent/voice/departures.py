"""Packets of this process that leave the machine, from Python and from native code.

Reads the packets at the network interfaces, which takes root (CAP_NET_RAW). DNS look-ups of native
code, and WebRTC's packets to STUN servers, are visible nowhere else: their sockets are not
connected, or for too short a time.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

ALL_PROTOCOLS = 0x0003
OUTGOING = 4
"""socket.PACKET_OUTGOING; what one reads twice on loopback, sent and received."""
TCP, UDP = 6, 17
IPV4, IPV6 = 0x0800, 0x86DD

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def departures(*, loopback: bool = False) -> Iterator[Address] | None:
    """The destinations of this process's packets, one by one, as they leave; None without the right
    or the means to capture them.

    `loopback`: those that stay on the machine instead.
    """
    try:
        packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ALL_PROTOCOLS))
    except OSError:
        return None
    return _departures(packets, loopback=loopback)


def _departures(packets: socket.socket, *, loopback: bool) -> Iterator[Address]:
    with packets:
        while True:
            data, (interface, protocol, kind, *_) = packets.recvfrom(128)
            if kind != OUTGOING or (interface == "lo") != loopback:
                continue
            if (found := _parse(protocol, data)) is not None:
                transport, port, destination = found
                if port in own_ports(transport):
                    yield destination


def _parse(protocol: int, packet: bytes) -> tuple[int, int, Address] | None:
    """Transport, source port and destination of a TCP or UDP packet."""
    if protocol == IPV4:
        transport, start, destination = packet[9], 4 * (packet[0] & 15), packet[16:20]
    elif protocol == IPV6:
        transport, start, destination = packet[6], 40, packet[24:40]
    else:
        return None
    if transport not in {TCP, UDP}:
        return None
    (port,) = struct.unpack_from("!H", packet, start)
    return transport, port, ipaddress.ip_address(destination)


def own_ports(transport: int) -> set[int]:
    """Local ports of this process's sockets."""
    name = "tcp" if transport == TCP else "udp"
    return {int(fields[1].rpartition(":")[2], 16) for fields in own_sockets(name)}


def own_sockets(transport: str) -> list[list[str]]:
    """This process's lines of the kernel's tables of `tcp` or `udp` sockets, as fields."""
    inodes: set[str] = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            inodes.add(os.readlink(descriptor).removeprefix("socket:[").removesuffix("]"))
        except OSError:
            continue
    lines = [
        line.split()
        for table in (transport, f"{transport}6")
        for line in Path(f"/proc/self/net/{table}").read_text().splitlines()[1:]
    ]
    return [fields for fields in lines if fields[9] in inodes]
