"""The room server that `dev` starts where none is configured."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from agent.cli.command import CommandError
from agent.processes.child_process import bound, running

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncGenerator, Mapping

LOOPBACK: Final = "127.0.0.1"
DEFAULT_PORT: Final = 7880
STARTING_TAKES: Final = 15.0
PROGRAM: Final = "livekit-server"
DEV_KEY: Final = "devkey"
DEV_SECRET: Final = "secret" * 6
"""No secret: for a server on loopback. As long as the signature wants it, unlike the one that
`livekit-server --dev` has by itself."""


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A room server, what it is, and its process if it has one of its own."""

    what: str
    url: str
    api_key: str
    api_secret: str
    process: Process | None = None


@contextlib.asynccontextmanager
async def started_server(
    environ: Mapping[str, str], port: int | None
) -> AsyncGenerator[RunningServer]:
    """A `livekit-server` if there is one on PATH, else the embedded server, in this process.

    Args:
        environ: where PATH is looked up, and what the program is given.
        port: the port to listen on; None for 7880, or any other where that is taken.
    """
    program = shutil.which(PROGRAM, path=environ.get("PATH"))
    if program is not None:
        async with _livekit_server(program, environ, _port_to_use(port)) as server:
            yield server
    else:
        async with _embedded_server(_port_to_use(port)) as server:
            yield server


@contextlib.asynccontextmanager
async def _embedded_server(port: int) -> AsyncGenerator[RunningServer]:
    try:
        from devserver import RoomServer  # noqa: PLC0415 - no part of a worker's installation
    except ImportError as error:
        raise CommandError(
            f"no room server: set LIVEKIT_URL, put {PROGRAM} on PATH, or install the embedded "
            f"server's dependencies (dependency group devserver; {error})"
        ) from error
    async with RoomServer(LOOPBACK, port) as server:
        yield RunningServer("embedded room server", server.url, server.api_key, server.api_secret)


@contextlib.asynccontextmanager
async def _livekit_server(
    program: str, environ: Mapping[str, str], port: int
) -> AsyncGenerator[RunningServer]:
    configuration = json.dumps(_configuration(port))  # JSON is YAML too
    command = bound([program, "--dev", "--config-body", configuration])
    async with running(command, environ, quiet=True) as process:
        await _answering(f"http://{LOOPBACK}:{port}", program, process)
        url = f"ws://{LOOPBACK}:{port}"
        yield RunningServer(f"{program} --dev", url, DEV_KEY, DEV_SECRET, process)


def _configuration(port: int) -> dict[str, Any]:
    return {
        "port": port,
        "bind_addresses": [LOOPBACK],
        "keys": {DEV_KEY: DEV_SECRET},
        "rtc": {
            "udp_port": _free_port(socket.SOCK_DGRAM),
            "tcp_port": _free_port(socket.SOCK_STREAM),
            "use_external_ip": False,
        },
    }


async def _answering(url: str, program: str, process: Process) -> None:
    """Returns when the server answers HTTP."""
    try:
        async with asyncio.timeout(STARTING_TAKES), aiohttp.ClientSession() as session:
            while process.returncode is None:
                try:
                    async with session.get(url) as response:
                        if response.status == 200:
                            return
                except aiohttp.ClientConnectionError:
                    pass
                # Nothing tells when another program listens: ask again.
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise CommandError(f"{program} does not answer at {url}") from None
    raise CommandError(f"{program} ended at once, with status {process.returncode}")


def _port_to_use(port: int | None) -> int:
    if port is not None:
        if not _is_free(port):
            raise CommandError(f"port {port} is taken: choose another --port")
        return port
    return DEFAULT_PORT if _is_free(DEFAULT_PORT) else _free_port(socket.SOCK_STREAM)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def _free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
