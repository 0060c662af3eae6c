"""Runs the worker and, for each line on its standard input, says what it has loaded and reached.

A line of JSON: `rss` (kB), `modules` (names of the modules that are loaded), `reached` (addresses
and names outside loopback that it connected to, tried to, or looked up, by Python or natively;
as root also those that it sent anything else to, datagrams to name servers and STUN among it).
The first line comes by itself, once it is registered.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import sys
import threading
from pathlib import Path
from typing import cast

from tests.agent.voice.departures import departures, own_sockets

POLL = 0.1

reached: set[str] = set()


def is_outside(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host not in {"", "localhost"}


def on_audit(event: str, arguments: tuple[object, ...]) -> None:
    host: object = ""
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = cast("tuple[object, ...]", arguments[1])[0]
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    name = host.decode() if isinstance(host, bytes) else str(host or "")
    if is_outside(name):
        reached.add(name)


def native_peers() -> set[str]:
    """The other ends of this process's TCP connections; what Linux writes as hexadecimal words."""
    peers: set[str] = set()
    for fields in own_sockets("tcp"):
        address = bytes.fromhex(fields[2].split(":")[0])
        words = (address[at : at + 4][::-1] for at in range(0, len(address), 4))
        peer = ipaddress.ip_address(b"".join(words))
        if isinstance(peer, ipaddress.IPv6Address) and peer.ipv4_mapped:
            peer = peer.ipv4_mapped
        if not (peer.is_loopback or peer.is_unspecified):
            peers.add(str(peer))
    return peers


def watch() -> None:
    while True:
        reached.update(native_peers())
        threading.Event().wait(POLL)


def watch_packets() -> None:
    for destination in departures() or ():
        reached.add(str(destination))


def say() -> None:
    status = Path("/proc/self/status").read_text()
    rss = int(status.split("VmRSS:")[1].split()[0])
    said = {"rss": rss, "modules": sorted(sys.modules), "reached": sorted(reached)}
    print(json.dumps(said), flush=True)  # noqa: T201 - for the test


def answer() -> None:
    for _ in sys.stdin:
        say()


if __name__ == "__main__":
    sys.addaudithook(on_audit)
    for work in (watch, watch_packets, answer):
        threading.Thread(target=work, daemon=True).start()
    from agent.worker import server

    server.once("worker_registered", lambda _id, _info: say())  # pyright: ignore[reportUnknownLambdaType]
    asyncio.run(server.run())
