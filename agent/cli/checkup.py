"""What `doctor` looks at."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import aiohttp
from livekit import api
from rich.console import Console
from rich.text import Text

from agent.cli.command import CommandError
from agent.cli.dev_record import DevRecordFile
from agent.cli.room_api import FAILURES, TIMEOUT, is_refusal, reason, room_api
from agent.cli.target import DOTENV, Target, find_target
from agent.config.settings import Settings
from agent.config.settings_error import SettingsError
from toolkit.errors import ToolError
from toolkit.settings import ToolSettings
from toolkit.toolbox import Toolbox
from tools import get_weather

if TYPE_CHECKING:
    from collections.abc import Mapping

UNAUTHORIZED: Final = (401, 403)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `advice` says what to do about it where it is not ok."""

    what: str
    ok: bool
    text: str
    advice: str = ""
    needed: bool = True


async def check_everything(environ: Mapping[str, str]) -> None:
    """Prints a line for each thing that is looked at.

    Raises:
        CommandError: something without which the agent cannot work is not right.
    """
    try:
        settings = Settings.from_environment(environ, DOTENV)
    except SettingsError as error:
        for problem in error.problems:
            _print(Finding("settings", ok=False, text=problem, advice=f"set it in {DOTENV}"))
        raise CommandError("the settings are wrong") from None
    dev = None if environ.get("LIVEKIT_URL") else DevRecordFile(environ).read()
    model_url = dev.model_url if dev else settings.openai_base_url
    checks = [_check_settings(settings, dev is not None)]
    checks += await asyncio.gather(
        _check_room_server(environ), _check_model(settings, model_url), _check_weather(settings)
    )
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


async def _check_model(settings: Settings, url: str) -> Finding:
    """Lists the models: what an OpenAI-compatible service answers without cost."""
    key = settings.openai_api_key
    headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"{url}/models", headers=headers) as response,
        ):
            status = response.status
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        advice = "check OPENAI_BASE_URL, and that the service is running"
        return Finding("model", ok=False, text=f"{url}: {reason(error)}", advice=advice)
    if status in UNAUTHORIZED:
        advice = "check OPENAI_API_KEY"
        return Finding("model", ok=False, text=f"{url}: status {status}", advice=advice)
    if status >= 500:
        return Finding("model", ok=False, text=f"{url}: status {status}", advice="try again later")
    # Not every compatible service lists its models: that it answers is enough.
    return Finding("model", ok=True, text=f"{url}: answers")


async def _check_weather(settings: Settings) -> Finding:
    tool_settings = ToolSettings(
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
