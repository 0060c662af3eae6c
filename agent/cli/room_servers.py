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
from agent.cli.listening import Listening, free_port
from agent.processes.child_process import bound, running

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncGenerator, Mapping

STARTING_TAKES: Final = 15.0
PROGRAM: Final = "livekit-server"
DEV_KEY: Final = "devkey"


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A room server, what it is, and its process if it has one of its own."""

    what: str
    url: str
    api_key: str
    api_secret: str
    process: Process | None = None
    network_url: str | None = None
    """URLs for other machines; empty if this machine has no network, None if they cannot reach
    it."""


@contextlib.asynccontextmanager
async def started_server(
    environ: Mapping[str, str], listening: Listening
) -> AsyncGenerator[RunningServer]:
    """A `livekit-server` if there is one on PATH, else the embedded server, in this process.

    Args:
        environ: has PATH; also the program's environment.
        listening: the address on which the server listens.
    """
    program = shutil.which(PROGRAM, path=environ.get("PATH"))
    if program is not None:
        async with _livekit_server(program, environ, listening) as server:
            yield server
    else:
        async with _embedded_server(listening) as server:
            yield server


@contextlib.asynccontextmanager
async def _embedded_server(listening: Listening) -> AsyncGenerator[RunningServer]:
    try:
        from devserver import RoomServer  # noqa: PLC0415 - no part of a worker's installation
    except ImportError as error:
        raise CommandError(
            f"no room server: set LIVEKIT_URL, put {PROGRAM} on PATH, or install the embedded one "
            f"(livekit-devserver, or in a checkout the dependency group devserver; {error})"
        ) from error
    secret = listening.secret()
    async with RoomServer(
        listening.host, listening.port, api_key=DEV_KEY, api_secret=secret, timing="instant"
    ):
        yield _running("embedded room server", listening, secret)


@contextlib.asynccontextmanager
async def _livekit_server(
    program: str, environ: Mapping[str, str], listening: Listening
) -> AsyncGenerator[RunningServer]:
    secret = listening.secret()
    configuration = json.dumps(_configuration(listening, secret))  # JSON is YAML too
    command = bound([program, "--dev", "--config-body", configuration])
    async with running(command, environ, quiet=True) as process:
        await _answering(listening.url.replace("ws://", "http://"), program, process)
        yield _running(f"{program} --dev", listening, secret, process)


def _running(
    what: str, listening: Listening, secret: str, process: Process | None = None
) -> RunningServer:
    network_url = listening.network_url if listening.is_open else None
    return RunningServer(what, listening.url, DEV_KEY, secret, process, network_url)


def _configuration(listening: Listening, secret: str) -> dict[str, Any]:
    return {
        "port": listening.port,
        "bind_addresses": [listening.host],
        "keys": {DEV_KEY: secret},
        "rtc": {
            "udp_port": free_port(listening.host, socket.SOCK_DGRAM),
            "tcp_port": free_port(listening.host),
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
                # Nothing signals that another program listens: ask again.
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise CommandError(f"{program} does not answer at {url}") from None
    raise CommandError(f"{program} ended at once, with status {process.returncode}")
