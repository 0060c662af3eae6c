"""Starts the parts of `dev` one after the other, and stops them in reverse order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from agent.cli.command import WRONG_SETTINGS, CommandError, show
from agent.cli.dev_page import DevPage, DevPageOptions, dev_page
from agent.cli.dev_record import DevRecord, DevRecordFile
from agent.cli.dev_workers import DevWorkers
from agent.cli.listening import LOOPBACK, Listening
from agent.cli.room_servers import RunningServer, started_server
from agent.cli.target import Target, read_settings, reply_topic, target_of, with_app

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Mapping

    from agent.config.settings import Settings

RELOADED: Final = "The app has changed: the new version answers from now on."

DEMO_TOKEN_DELAY: Final = 0.02
"""Seconds between the demo model's tokens, so that you can watch an answer stream."""

STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def run_dev(
    environ: Mapping[str, str],
    host: str | None,
    port: int | None,
    app: str | None,
    page_options: DevPageOptions,
) -> None:
    """Starts the parts that are not configured, prints their addresses, and stops them on a signal.

    `app` counts before the setting APP.

    Raises:
        CommandError: the settings are wrong, or something did not start, or ended by itself.
    """
    environ = with_app(environ, app)
    settings = read_settings(environ)
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine that runs has a task
    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    # A run that was cancelled has stopped: that is no failure.
    with contextlib.suppress(asyncio.CancelledError):
        async with contextlib.AsyncExitStack() as stack:
            file = stack.enter_context(_taken(environ))
            server = await stack.enter_async_context(_server(settings, environ, host, port))
            target = _target(settings, server)
            page = await stack.enter_async_context(dev_page(page_options, target, environ))
            model_url = await stack.enter_async_context(_model(settings))
            workers = await stack.enter_async_context(
                _workers(settings, environ, server, model_url)
            )
            file.write(_record(target, settings, model_url))
            _announce(settings, server, model_url, page)
            if page and page_options.opens:
                webbrowser.open(page.url)
            await _until_one_ends(workers, server)


@contextlib.contextmanager
def _taken(environ: Mapping[str, str]) -> Generator[DevRecordFile]:
    file = DevRecordFile(environ)
    try:
        file.take()
    except BlockingIOError:
        other = file.read()
        where = f" at {other.url} (process {other.pid})" if other else ""
        raise CommandError(f"`dev` of this checkout is running already{where}") from None
    try:
        yield file
    finally:
        file.release()


@contextlib.asynccontextmanager
async def _server(
    settings: Settings, environ: Mapping[str, str], host: str | None, port: int | None
) -> AsyncGenerator[RunningServer]:
    if settings.livekit_url is None:
        async with started_server(environ, Listening.on(host or LOOPBACK, port)) as server:
            yield server
        return
    if host is not None:
        raise CommandError(
            "--host is for a room server that `dev` starts, but LIVEKIT_URL names another",
            WRONG_SETTINGS,
        )
    target = target_of(settings)
    if target is None:
        problems = [problem for problem in settings.missing() if problem.startswith("LIVEKIT_")]
        raise CommandError("\n".join(problems), WRONG_SETTINGS)
    yield RunningServer("configured", target.url, target.api_key, target.api_secret)


def _has_model(settings: Settings) -> bool:
    return settings.openai_api_key is not None or "openai_base_url" in settings.model_fields_set


@contextlib.asynccontextmanager
async def _model(settings: Settings) -> AsyncGenerator[str]:
    """The address of the model: of the demo model, unless one is configured."""
    if _has_model(settings):
        yield settings.openai_base_url
        return
    try:
        from devserver.model import DemoModel  # noqa: PLC0415 - no part of a worker's installation
    except ImportError as error:
        raise CommandError(
            "no model: set OPENAI_API_KEY or OPENAI_BASE_URL; the demo model comes with the "
            f"embedded room server, which is not installed ({error})",
            WRONG_SETTINGS,
        ) from error

    async with DemoModel(token_delay=DEMO_TOKEN_DELAY) as model:
        yield model.base_url


@contextlib.asynccontextmanager
async def _workers(
    settings: Settings, environ: Mapping[str, str], server: RunningServer, model_url: str
) -> AsyncGenerator[DevWorkers]:
    """The worker, once it is registered with the room server."""
    ours = {
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
        "OPENAI_BASE_URL": model_url,
        "HTTP_HOST": settings.http_host
        if "http_host" in settings.model_fields_set
        else "127.0.0.1",
        # Several workers of one machine must not fight over the port of the health check.
        "HTTP_PORT": str(settings.http_port if "http_port" in settings.model_fields_set else 0),
    }
    workers = DevWorkers({**environ, **ours}, settings.log_level, server.url)
    try:
        await workers.start()
        yield workers
    finally:
        await workers.aclose()


async def _until_one_ends(workers: DevWorkers, server: RunningServer) -> None:
    """Replaces the worker when its app changes, for ever; raises CommandError when what should go
    on ends by itself."""
    while True:
        processes = {"the worker": workers.process, server.what: server.process}
        waits: dict[asyncio.Task[object], str] = {
            asyncio.create_task(process.wait(), name=f"process {name}"): name
            for name, process in processes.items()
            if process
        }
        changed = asyncio.create_task(workers.files.changed.wait(), name="the app changed")
        try:
            ended, _ = await asyncio.wait({*waits, changed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in (*waits, changed):
                wait.cancel()
            await asyncio.gather(*waits, changed, return_exceptions=True)
        ended.discard(changed)
        if ended:
            first = ended.pop()
            raise CommandError(f"{waits[first]} ended by itself, with status {first.result()}")
        workers.files.changed.clear()
        if await workers.reload():
            show(RELOADED)


def _target(settings: Settings, server: RunningServer) -> Target:
    return Target(
        url=server.url,
        api_key=server.api_key,
        api_secret=server.api_secret,
        agent_name=settings.agent_name,
        agent_identity=settings.agent_identity,
        reply_topic=reply_topic(settings),
    )


def _record(target: Target, settings: Settings, model_url: str) -> DevRecord:
    return DevRecord(
        pid=os.getpid(),
        url=target.url,
        api_key=target.api_key,
        api_secret=target.api_secret,
        agent_name=target.agent_name,
        agent_identity=target.agent_identity,
        reply_topic=target.reply_topic,
        model_url=model_url,
        model=settings.llm_model,
        has_key=settings.openai_api_key is not None,
    )


def _announce(
    settings: Settings, server: RunningServer, model_url: str, page: DevPage | None
) -> None:
    console = Console(highlight=False, soft_wrap=True, markup=False)
    model = settings.llm_model if _has_model(settings) else "demo model"
    rooms = f"dispatched as {settings.agent_name}" if settings.agent_name else "in every new room"
    console.print()
    if page:
        console.print(f"  page         {page.url}  {page.state}", style="bold")
    console.print(f"  room server  {server.url}  {server.what}")
    if server.what != "configured":
        console.print(f"               API key {server.api_key}, secret {server.api_secret}")
    _warn_of_network(console, server)
    console.print(f"  model        {model_url}  {model}")
    console.print(f"  agent        {settings.agent_identity}, {rooms}")
    console.print()
    question = "Hello" if settings.app else "What is the weather in Paris?"
    talk = f'{_python()} -m agent chat "{question}" --room demo'
    console.print(f"Talk to it:    {talk}")
    console.print("Ctrl-C stops everything.", style="dim")
    console.print()


def _warn_of_network(console: Console, server: RunningServer) -> None:
    if server.network_url is None:
        return
    where = server.network_url or "no network: other machines cannot reach it"
    console.print(f"  network      {where}")
    console.print(
        "  WARNING      Every machine on this network can reach the room server: anybody with the "
        "API secret, or a token made with it, can join. Signalling is not encrypted.",
        style="bold yellow",
    )


def _python() -> str:
    """This Python as one would type it here."""
    program = Path(sys.executable)
    with contextlib.suppress(ValueError):
        program = program.relative_to(Path.cwd())
    return shlex.quote(str(program))
