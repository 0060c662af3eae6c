"""The worker as LiveKit's tools find it: a module-level `server`, of the app that APP names.

`python -m agent start`, `python -m livekit.agents start agent/worker.py` and `lk agent` run it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

from agent.app.app import App
from agent.app.app_error import AppError
from agent.app.app_settings import names_of, read_app_settings
from agent.config.environment import settle, slips
from agent.config.proxies import Proxies
from agent.config.setting_sources import SETTLED
from agent.config.settings import Settings
from agent.config.settings_error import SettingsError
from agent.default_app import app_of
from agent.history.errors import InvalidValueError
from agent.host.room_host import RoomHost

WRONG_SETTINGS = 2
"""Exit status when a setting or the app is wrong."""

DOTENV = Path(".env")


def load_settings() -> Settings:
    """Settings from the environment and `.env`; a wrong one ends the process with status 2.

    The server's address and keys may still be missing: LiveKit's tools can pass them later.
    """
    try:
        return Settings.from_environment(os.environ, DOTENV)
    except SettingsError as error:
        _end(error.problems)


def open_app(settings: Settings) -> App:
    """The app; one that cannot be used, or lacks a model, ends the process with status 2."""
    try:
        wrong_names = [] if SETTLED in os.environ else slips(os.environ, DOTENV)
        settle(os.environ, DOTENV)
        app = app_of(settings.app)
    except (AppError, SettingsError) as error:
        _end([str(error)])
    own_names = {name for kind in app.settings for name in names_of(kind)}
    _tell(slip for slip in wrong_names if slip.partition(" ")[0] not in own_names)
    if problems := settings.missing(server=False, model=app.uses_service):
        _end(problems)
    return app


def open_host(settings: Settings, app: App) -> RoomHost:
    """The host; settings that cannot be used end the process with status 2."""
    try:
        app_settings = read_app_settings(app.settings, os.environ)
        proxies = Proxies.of(os.environ)
        proxies.check(settings.urls)
        if settings.livekit_url is not None:
            proxies.settle(os.environ, settings.livekit_url)
        return RoomHost(settings, app, app_settings, proxies=proxies)
    except (AppError, InvalidValueError, SettingsError) as error:
        _end([str(error)])


def _tell(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        print(sentence, file=sys.stderr)  # noqa: T201 - for the person who starts it


def _end(problems: Iterable[str]) -> NoReturn:
    _tell(problems)
    raise SystemExit(WRONG_SETTINGS)


settings = load_settings()
app = open_app(settings)
host = open_host(settings, app)
server = host.agent_server()
