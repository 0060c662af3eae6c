"""The token endpoint as a process: its settings, its port, its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from typing import TYPE_CHECKING, Final

import aiohttp
from aiohttp import web

from agent.access.app_identity import AppIdentity
from agent.access.signing_keys import SigningKeys
from agent.access.token_endpoint import PATH, RoomServer, TokenEndpoint
from agent.cli.command import WRONG_SETTINGS, CommandError, show
from agent.cli.target import find_target, read_settings
from agent.config.proxies import Proxies

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from agent.config.settings import Settings

STOPPING: Final = 10.0
"""Seconds that requests in progress have to finish after SIGTERM."""


async def serve_tokens(environ: Mapping[str, str]) -> None:
    """Serves tokens until SIGTERM or SIGINT.

    Raises:
        CommandError: settings are missing or wrong, or the port cannot be listened on.
    """
    settings = read_settings(environ)
    if problems := settings.access_problems():
        raise CommandError("\n".join(problems), WRONG_SETTINGS)
    logging.basicConfig(level=settings.log_level, format="%(levelname)s %(name)s: %(message)s")
    target = find_target(environ)
    server = RoomServer(
        url=settings.access_server_url or target.url,
        api_key=target.api_key,
        api_secret=target.api_secret,
        agent_name=target.agent_name,
        agent_identity=target.agent_identity,
    )
    listening = _listening(settings)
    try:
        async with _app_identity(settings, Proxies.of(environ)) as identity:
            endpoint = TokenEndpoint(settings, server, identity)
            await _serve(endpoint, listening, _hint(settings))
    finally:
        listening.close()


async def _serve(endpoint: TokenEndpoint, listening: socket.socket, hint: str) -> None:
    runner = web.AppRunner(endpoint.app(), access_log=None, shutdown_timeout=STOPPING)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    try:
        await runner.setup()
        await web.SockSite(runner, listening).start()
        host, port = listening.getsockname()[:2]
        show(f"tokens at http://{f'[{host}]' if ':' in host else host}:{port}{PATH}; {hint}")
        await stopped.wait()
    finally:
        await runner.cleanup()


def _hint(settings: Settings) -> str:
    if settings.checks_identity:
        return f"for users of {settings.access_issuer}"
    return (
        "for development: NO identity is checked, every program of this machine may join any room"
    )


@contextlib.asynccontextmanager
async def _app_identity(settings: Settings, proxies: Proxies) -> AsyncGenerator[AppIdentity | None]:
    url, issuer = settings.access_jwks_url, settings.access_issuer
    if url is None or issuer is None:
        yield None
        return
    async with aiohttp.ClientSession() as http:
        yield AppIdentity(
            SigningKeys(url, http, proxies.for_url(url)),
            issuer=issuer,
            audience=settings.access_audience,
            algorithms=settings.access_algorithms,
        )


def _listening(settings: Settings) -> socket.socket:
    host, port = settings.access_host, settings.access_port
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise CommandError(f"ACCESS_HOST={host}, ACCESS_PORT={port}: {error.strerror}") from error
