"""The room server of a run: embedded, a livekit-server program, or one that runs already."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import socket
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from livekit import api

from bench.programs import BenchError, running

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from bench.programs import Program

LOOPBACK: Final = "127.0.0.1"
KEY: Final = "devkey"
SECRET: Final = "a secret of the benchmark, of thirty-two characters"  # noqa: S105 - signs nothing else
STARTING_TAKES: Final = 15.0
ATTEMPTS: Final = 3
ATTEMPTS_AT_A_PORT: Final = 100


@dataclass(frozen=True, slots=True)
class RoomServer:
    """A running room server; `what` is its name in reports."""

    what: str
    url: str
    api_key: str
    api_secret: str
    program: Program | None = None
    """Its process, if it was started for this run."""

    @property
    def environ(self) -> dict[str, str]:
        """The environment of a worker: the server's address and keys."""
        return {
            "LIVEKIT_URL": self.url,
            "LIVEKIT_API_KEY": self.api_key,
            "LIVEKIT_API_SECRET": self.api_secret,
        }

    async def close(self, room: str) -> None:
        """Closes a room, which stays for 20 s, with its agent, when everybody has left."""
        url = self.url.replace("ws", "http", 1)
        async with api.LiveKitAPI(url, self.api_key, self.api_secret) as service:
            await service.room.delete_room(api.DeleteRoomRequest(room=room))

    def token(self, identity: str, room: str, agent_name: str = "") -> str:
        """A token to join a room, which dispatches that agent when the room begins."""
        token = api.AccessToken(self.api_key, self.api_secret).with_identity(identity)
        token = token.with_grants(
            api.VideoGrants(room_join=True, room=room, can_update_own_metadata=True)
        )
        if agent_name:
            dispatch = api.RoomAgentDispatch(agent_name=agent_name)
            token = token.with_room_config(api.RoomConfiguration(agents=[dispatch]))
        return token.to_jwt()


@contextlib.asynccontextmanager
async def opened(choice: str, logs: Path) -> AsyncGenerator[RoomServer]:
    """A room server: LIVEKIT_URL's with its keys, else the one of `choice`.

    Args:
        choice: `embedded`, or the name or path of a livekit-server program.
        logs: the folder for its log.
    """
    if url := os.environ.get("LIVEKIT_URL"):
        secret = os.environ.get("LIVEKIT_API_SECRET", "secret")
        yield RoomServer(url, url, os.environ.get("LIVEKIT_API_KEY", KEY), secret)
    elif choice == "embedded":
        command = [sys.executable, "-m", "devserver", "--port", "0", "--key", KEY]
        command += ["--timing", "instant"]
        command += ["--secret", SECRET]
        async with running("room-server", command, logs=logs) as program:
            line = await program.line(lambda said: b"listening on" in said, within=STARTING_TAKES)
            url = line.decode().split("listening on ")[1].split(",")[0]
            yield RoomServer("embedded", url, KEY, SECRET, program)
    else:
        async with _livekit_server(choice, logs) as server:
            yield server


@contextlib.asynccontextmanager
async def _livekit_server(choice: str, logs: Path) -> AsyncGenerator[RoomServer]:
    path = shutil.which(choice)
    if path is None:
        raise BenchError(f"no such program: {choice}")
    async with contextlib.AsyncExitStack() as stack:
        for attempt in range(ATTEMPTS):
            # Somebody else may have the port by the time that the server wants it.
            port = free_port(socket.SOCK_STREAM)
            command = [path, "--dev", "--config-body", json.dumps(_configuration(port))]
            program = await stack.enter_async_context(
                running(f"room-server-{attempt}", command, logs=logs, merged=True)
            )
            reading = asyncio.create_task(program.keep_log(), name="log of the room server")
            stack.callback(reading.cancel)
            if await answers(f"http://{LOOPBACK}:{port}", program):
                url = f"ws://{LOOPBACK}:{port}"
                yield RoomServer("livekit-server", url, KEY, SECRET, program)
                return
    raise BenchError(f"the room server does not start; see {logs}")


def _configuration(port: int) -> dict[str, Any]:
    return {
        "port": port,
        "bind_addresses": [LOOPBACK],
        "keys": {KEY: SECRET},
        "rtc": {
            "udp_port": free_port(socket.SOCK_DGRAM),
            "tcp_port": free_port(socket.SOCK_STREAM),
            "use_external_ip": False,
            # The default is public servers, whose names every client would look up.
            "stun_servers": [f"{LOOPBACK}:{port}"],
        },
    }


async def answers(url: str, server: Program) -> bool:
    """Whether a started server answers before it ends, or the time is up."""
    give_up = time.perf_counter() + STARTING_TAKES
    async with aiohttp.ClientSession() as session:
        while server.is_running and time.perf_counter() < give_up:
            with contextlib.suppress(aiohttp.ClientConnectionError):
                async with session.get(url) as response:
                    if response.status == 200:
                        return True
            # Nothing signals that another program listens: ask again.
            await asyncio.sleep(0.05)
    return False


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A free port on loopback.

    Below the ephemeral ports: a benchmark's clients open so many connections that one of them would
    take such a port before the server does.
    """
    for _ in range(ATTEMPTS_AT_A_PORT):
        with socket.socket(socket.AF_INET, kind) as probe, contextlib.suppress(OSError):
            port = 20_000 + secrets.randbelow(12_000)
            probe.bind((LOOPBACK, port))
            return port
    raise BenchError("no port is free")
