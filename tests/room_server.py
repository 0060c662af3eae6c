"""The room server that the tests run against: embedded, started from a binary, or running already.

ROOM_SERVER chooses: unset or `embedded` is the server of `devserver`, in the test process, which
announces participants at once; `embedded-late` is the same, as late as livekit-server; a
`ws://` or `wss://` URL is a running one (LIVEKIT_API_KEY and LIVEKIT_API_SECRET, else the keys of
`livekit-server --dev`); anything else is the name or path of a `livekit-server` binary, which is
started on loopback for the test session and ended with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import shutil
import socket
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import aiohttp
from livekit import api

from tests.webhook_receiver import WebhookReceiver

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
    from pathlib import Path

    from devserver import Limits, RoomServer
    from devserver.timing import Timing

API_KEY = "devkey"
API_SECRET = "a secret of the tests, thirty-two characters and more"  # noqa: S105  # signs nothing else
DEV_MODE_SECRET = "secret"  # noqa: S105  # `livekit-server --dev` has this one, for everyone

# The value of a field of api.VideoGrants.
Grant: TypeAlias = bool | str | list[str] | None

STARTING_WITHIN = 15.0
ENDING_WITHIN = 3.0


@dataclasses.dataclass(frozen=True)
class RoomServerUnderTest:
    """A running room server, whichever it is.

    `embedded` is the RoomServer itself where the server is ours, else None. `webhooks` receives
    the server's webhooks where the tests could configure it, else None. `crash` ends the server
    without a word and starts it again on its port; None where the tests have not started it.
    """

    url: str
    api_key: str
    api_secret: str
    embedded: RoomServer | None = None
    webhooks: WebhookReceiver | None = None
    crash: Callable[[], Awaitable[None]] | None = None

    @property
    def http_url(self) -> str:
        return "http" + self.url.removeprefix("ws")

    def access_token(self, identity: str = "", room: str = "", **grants: Grant) -> api.AccessToken:
        """A token to be refined: of a participant, or of a service if it has no identity."""
        video = dataclasses.replace(
            api.VideoGrants(room_join=bool(identity and room) or None, room=room), **grants
        )
        token = api.AccessToken(self.api_key, self.api_secret)
        token = token.with_grants(dataclasses.replace(video, **grants))
        return token.with_identity(identity) if identity else token

    def token(self, identity: str = "", room: str = "", **grants: Grant) -> str:
        return self.access_token(identity, room, **grants).to_jwt()

    def api(self) -> api.LiveKitAPI:
        return api.LiveKitAPI(self.http_url, self.api_key, self.api_secret)


@contextlib.asynccontextmanager
async def running_room_server(
    environ: Mapping[str, str], directory: Path
) -> AsyncGenerator[RoomServerUnderTest]:
    """The server that ROOM_SERVER in `environ` asks for; `directory` is for its configuration."""
    choice = environ.get("ROOM_SERVER", "") or "embedded"
    if choice.startswith(("ws://", "wss://")):
        yield RoomServerUnderTest(
            choice,
            environ.get("LIVEKIT_API_KEY", API_KEY),
            environ.get("LIVEKIT_API_SECRET", DEV_MODE_SECRET),
        )
        return
    async with WebhookReceiver() as webhooks:
        if choice in ("embedded", "embedded-late"):
            timing = "instant" if choice == "embedded" else "livekit"
            async with embedded_room_server(webhooks, timing) as server:
                yield server
        else:
            async with _started(choice, directory, webhooks) as server:
                yield server


@contextlib.asynccontextmanager
async def embedded_room_server(
    webhooks: WebhookReceiver | None = None,
    timing: Timing = "instant",
    limits: Limits | None = None,
) -> AsyncGenerator[RoomServerUnderTest]:
    """One of our own, for who does to it what the others' would not survive."""
    from devserver import RoomServer  # noqa: PLC0415  # a real server needs nothing of devserver

    urls = [webhooks.url] if webhooks else []
    async with RoomServer(
        api_key=API_KEY, api_secret=API_SECRET, webhook_urls=urls, timing=timing, limits=limits
    ) as server:
        crash = partial(server.restart, announced=False)
        yield RoomServerUnderTest(server.url, API_KEY, API_SECRET, server, webhooks, crash)


@contextlib.asynccontextmanager
async def _started(
    binary: str, directory: Path, webhooks: WebhookReceiver
) -> AsyncGenerator[RoomServerUnderTest]:
    path = shutil.which(binary)
    if path is None:
        raise FileNotFoundError(f"ROOM_SERVER={binary}: no such program")
    port = _free_port(socket.SOCK_STREAM)
    config = directory / "livekit-server.json"  # JSON is YAML too
    config.write_text(json.dumps(_configuration(port, webhooks.url)))

    async def start() -> asyncio.subprocess.Process:
        with (directory / "livekit-server.log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                path, "--dev", "--config", str(config), stdout=log, stderr=log
            )

    async def crash() -> None:
        nonlocal process
        process.kill()
        await process.wait()
        process = await start()
        await _answering(f"http://127.0.0.1:{port}", process)

    process = await start()
    try:
        await _answering(f"http://127.0.0.1:{port}", process)
        url = f"ws://127.0.0.1:{port}"
        yield RoomServerUnderTest(url, API_KEY, API_SECRET, webhooks=webhooks, crash=crash)
    finally:
        await _end(process)


def _configuration(port: int, webhook_url: str) -> dict[str, Any]:
    return {
        "port": port,
        "bind_addresses": ["127.0.0.1"],
        "keys": {API_KEY: API_SECRET},
        "rtc": {
            "udp_port": _free_port(socket.SOCK_DGRAM),
            "tcp_port": _free_port(socket.SOCK_STREAM),
            "use_external_ip": False,
            # The default is public servers, whose names every client would look up.
            "stun_servers": [f"127.0.0.1:{port}"],
        },
        "webhook": {"api_key": API_KEY, "urls": [webhook_url]},
    }


def _free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _answering(url: str, process: asyncio.subprocess.Process) -> None:
    """Returns when the server answers HTTP; a server that ends instead is an error."""
    async with asyncio.timeout(STARTING_WITHIN), aiohttp.ClientSession() as session:
        while True:
            if process.returncode is not None:
                raise RuntimeError(f"livekit-server ended with status {process.returncode}")
            try:
                async with session.get(url) as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientConnectionError:
                # Nothing tells when another process listens: ask again.
                await asyncio.sleep(0.05)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(ENDING_WITHIN):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
