"""The checks of `doctor`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from livekit import api
from rich.console import Console
from rich.text import Text
from yarl import URL

from agent.app.app_error import AppError
from agent.app.app_settings import names_of, read_app_settings
from agent.cli.clock_check import check_clock
from agent.cli.command import CommandError
from agent.cli.dev_record import DevRecord, DevRecordFile
from agent.cli.finding import Finding
from agent.cli.model_check import check_model
from agent.cli.room_api import FAILURES, is_refusal, reason, room_api
from agent.cli.target import DOTENV, Target, find_target
from agent.config.environment import settle, slips
from agent.config.proxies import Proxies
from agent.config.settings import Settings
from agent.config.settings_error import SettingsError
from agent.default_app import app_of
from agent.processes.health_page import listen
from toolkit.errors import ToolError
from toolkit.settings import ToolSettings
from toolkit.toolbox import Toolbox

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping, Sequence

    from pydantic import BaseModel

    from agent.app.app import App
    from toolkit.tool import Tool

WEATHER: Final = "getWeather"
"""The tool of the default app that depends on a service."""


async def check_everything(environ: MutableMapping[str, str]) -> None:
    """Prints a line for each check.

    Raises:
        CommandError: something that the agent cannot work without has failed.
    """
    try:
        settings = Settings.from_environment(environ, DOTENV)
        proxies = Proxies.of(environ)
        proxies.check(settings.urls)
        given = dict(environ)
        wrong_names = slips(environ, DOTENV)
        # Packages that the app imports look for their keys there.
        settle(environ, DOTENV)
        app = app_of(settings.app)
        app_settings = read_app_settings(app.settings, environ)
    except SettingsError as error:
        for problem in error.problems:
            _print(Finding("settings", ok=False, text=problem, advice=f"set it in {DOTENV}"))
        raise CommandError("the settings are wrong") from None
    except AppError as error:
        _print(Finding("app", ok=False, text=str(error)))
        raise CommandError("the app is wrong") from None
    dev = None if given.get("LIVEKIT_URL") else DevRecordFile(given).read()
    checks = [_check_settings(settings, app, dev is not None)]
    own_names = {name for kind in app.settings for name in names_of(kind)}
    for slip in wrong_names:
        if slip.partition(" ")[0] not in own_names:
            checks.append(Finding("settings", ok=False, text=slip, needed=False))
    found = await asyncio.gather(
        _check_room_server(given),
        _check_clock(given),
        *([_check_model(settings, dev, proxies, app.tools)] if app.uses_service else []),
        *(
            _check_weather(tool, app_settings, proxies)
            for tool in app.tools
            if tool.name == WEATHER
        ),
    )
    checks += [finding for finding in found if finding is not None]
    if settings.http_port:
        checks.append(_check_port(settings.http_host, settings.http_port))
    if settings.app:
        agents = ", ".join(name for name in app.personas if name) or "one agent"
        checks.append(Finding("app", ok=True, text=f"{settings.app}: {agents}"))
    for finding in checks:
        _print(finding)
    if failed := [finding.what for finding in checks if finding.needed and not finding.ok]:
        raise CommandError(f"not right: {', '.join(failed)}")


def _check_settings(settings: Settings, app: App, dev: bool) -> Finding:
    if dev:
        return Finding("settings", ok=True, text="those of the running `dev`")
    if problems := settings.missing(model=app.uses_service):
        advice = "`python -m agent dev` needs none of them"
        return Finding("settings", ok=False, text="; ".join(problems), advice=advice)
    return Finding("settings", ok=True, text="complete")


async def _check_model(
    settings: Settings, dev: DevRecord | None, proxies: Proxies, tools: Sequence[Tool]
) -> Finding:
    if dev is None:
        return await check_model(settings, settings.openai_base_url, proxies, tools)
    if dev.has_key and settings.openai_api_key is None:
        text = f"{URL(dev.model_url).with_query(None)}: not asked, the running `dev` has its key"
        advice = "set OPENAI_API_KEY here, too, or in .env"
        return Finding("model", ok=True, text=text, advice=advice)
    of_dev = settings.model_copy(update={"llm_model": dev.model})
    return await check_model(of_dev, dev.model_url, proxies, tools)


def _check_port(host: str, port: int) -> Finding:
    """Whether the port of the health pages is free; a worker that runs here has it."""
    name = "health port"
    try:
        listen((host, port)).close()
    except OSError as error:
        advice = "unless a worker runs here already, set HTTP_PORT to another one, or to 0"
        text = f"{host}:{port}: {error.strerror}"
        return Finding(name, ok=False, text=text, advice=advice, needed=False)
    return Finding(name, ok=True, text=f"{host}:{port}: free")


async def _check_room_server(environ: Mapping[str, str]) -> Finding:
    name = "room server"
    try:
        target: Target = find_target(environ)
    except CommandError:
        advice = "run `python -m agent dev`, or set LIVEKIT_URL and its keys"
        return Finding(name, ok=False, text="none is known", advice=advice)
    try:
        async with room_api(target) as service:
            rooms = (await service.room.list_rooms(api.ListRoomsRequest())).rooms
    except FAILURES as error:
        advice = "check LIVEKIT_URL, and that the server is running"
        if is_refusal(error):
            advice = "check LIVEKIT_API_KEY and LIVEKIT_API_SECRET"
        return Finding(name, ok=False, text=f"{target.url}: {reason(error)}", advice=advice)
    return Finding(name, ok=True, text=f"{target.url}: {len(rooms)} rooms")


async def _check_clock(environ: Mapping[str, str]) -> Finding | None:
    try:
        return await check_clock(find_target(environ))
    except CommandError:
        return None


async def _check_weather(
    tool: Tool, app_settings: Sequence[BaseModel], proxies: Proxies
) -> Finding:
    settings = ToolSettings(*app_settings, proxy_for=proxies.for_url)
    async with Toolbox([tool], settings) as toolbox:
        try:
            await toolbox.call(tool.name, {"city": "Paris"})
        except ToolError as error:
            advice = "getWeather will say so; WEATHER_GEOCODING_URL and WEATHER_FORECAST_URL"
            return Finding("weather", ok=False, text=str(error), advice=advice, needed=False)
    return Finding("weather", ok=True, text="the service answers")


def _print(finding: Finding) -> None:
    word, style = ("ok", "green") if finding.ok else ("failed", "red")
    line = Text.assemble((f"{word:<8}", style), f"{finding.what:<13}", finding.text)
    console = Console(highlight=False, soft_wrap=True)
    console.print(line)
    if finding.advice:
        console.print(Text(f"{'':21}{finding.advice}", style="dim"))
