"""The worker as LiveKit's tools find it: a module-level `server`.

`python -m agent start`, `python -m livekit.agents start agent/worker.py` and `lk agent` run it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from agent.config.settings import Settings
from agent.config.settings_error import SettingsError
from agent.history.errors import InvalidValueError
from agent.host.room_host import RoomHost
from agent.models.proxy import proxy_for
from tools import TOOLS

WRONG_SETTINGS = 2
"""Exit status when a setting is wrong."""

DOTENV = Path(".env")


def load_settings() -> Settings:
    """Settings from the environment and `.env`; a wrong one ends the process with status 2.

    The server's address and keys may still be missing: LiveKit's tools can hand them over later.
    """
    try:
        settings = Settings.from_environment(os.environ, DOTENV)
        problems = settings.missing(server=False)
    except SettingsError as error:
        problems = error.problems
    else:
        if not problems:
            return settings
    for problem in problems:
        print(problem, file=sys.stderr)  # noqa: T201 - for the person who starts it
    raise SystemExit(WRONG_SETTINGS)


def open_host(settings: Settings) -> RoomHost:
    """The host; a DATABASE_URL that names no database ends the process with status 2."""
    try:
        proxy = proxy_for(settings.openai_base_url, os.environ)
        return RoomHost(settings, TOOLS, model_proxy=proxy)
    except InvalidValueError as error:
        print(error, file=sys.stderr)  # noqa: T201 - for the person who starts it
        raise SystemExit(WRONG_SETTINGS) from None


host = open_host(load_settings())
server = host.agent_server()
