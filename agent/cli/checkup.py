"""What `doctor` looks at."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from livekit import api
from rich.console import Console
from rich.text import Text

from agent.cli.command import CommandError
from agent.cli.dev_record import DevRecordFile
from agent.cli.finding import Finding
from agent.cli.model_check import check_model
from agent.cli.room_api import FAILURES, is_refusal, reason, room_api
from agent.cli.target import DOTENV, Target, find_target
from agent.config.environment import slips
from agent.config.proxies import Proxies
from agent.config.settings import Settings
from agent.config.settings_error import SettingsError
from agent.processes.health_page import listen
from toolkit.errors import ToolError
from toolkit.settings import ToolSettings
from toolkit.toolbox import Toolbox
from tools import get_weather

if TYPE_CHECKING:
    from collections.abc import Mapping


async def check_everything(environ: Mapping[str, str]) -> None:
    """Prints a line for each thing that is looked at.

    Raises:
        CommandError: something without which the agent cannot work is not right.
    """
    try:
        settings = Settings.from_environment(environ, DOTENV)
        proxies = Proxies.of(environ)
        proxies.check(settings.urls)
    except SettingsError as error:
        for problem in error.problems:
            _print(Finding("settings", ok=False, text=problem, advice=f"set it in {DOTENV}"))
        raise CommandError("the settings are wrong") from None
    dev = None if environ.get("LIVEKIT_URL") else DevRecordFile(environ).read()
    model_url = dev.model_url if dev else settings.openai_base_url
    checks = [_check_settings(settings, dev is not None)]
    for slip in slips(environ, DOTENV):
        checks.append(Finding("settings", ok=False, text=slip, needed=False))
    checks += await asyncio.gather(
        _check_room_server(environ),
        check_model(settings, model_url, proxies),
        _check_weather(settings, proxies),
    )
    if settings.http_port:
        checks.append(_check_port(settings.http_host, settings.http_port))
    for finding in checks:
        _print(finding)
    if failed := [finding.what for finding in checks if finding.needed and not finding.ok]:
        raise CommandError(f"not right: {', '.join(failed)}")


def _check_settings(settings: Settings, dev: bool) -> Finding:
    if dev:
        return Finding("settings", ok=True, text="those of the running `dev`")
    if problems := settings.missing():
        advice = "`python -m agent dev` needs none of them"
        return Finding("settings", ok=False, text="; ".join(problems), advice=advice)
    return Finding("settings", ok=True, text="complete")


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


async def _check_weather(settings: Settings, proxies: Proxies) -> Finding:
    tool_settings = ToolSettings(
        proxy_for=proxies.for_url,
        weather_geocoding_url=settings.weather_geocoding_url,
        weather_forecast_url=settings.weather_forecast_url,
    )
    async with Toolbox([get_weather], tool_settings) as toolbox:
        try:
            await toolbox.call(get_weather.name, {"city": "Paris"})
        except ToolError as error:
            advice = "getWeather will say so; WEATHER_GEOCODING_URL and WEATHER_FORECAST_URL"
            return Finding("weather", ok=False, text=str(error), advice=advice, needed=False)
    return Finding("weather", ok=True, text=f"{settings.weather_forecast_url}: answers")


def _print(finding: Finding) -> None:
    word, style = ("ok", "green") if finding.ok else ("failed", "red")
    line = Text.assemble((f"{word:<8}", style), f"{finding.what:<13}", finding.text)
    console = Console(highlight=False, soft_wrap=True)
    console.print(line)
    if finding.advice:
        console.print(Text(f"{'':21}{finding.advice}", style="dim"))
