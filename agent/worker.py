"""The worker as LiveKit's tools find it: a module-level `server`.

`python -m agent start`, `python -m livekit.agents start agent/worker.py` and `lk agent` run it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from agent.config.environment import slips
from agent.config.proxies import Proxies
from agent.config.setting_sources import SETTLED
from agent.config.settings import Settings
from agent.config.settings_error import SettingsError
from agent.history.errors import InvalidValueError
from agent.host.room_host import RoomHost
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
        if SETTLED not in os.environ:
            for slip in slips(os.environ, DOTENV):
                print(slip, file=sys.stderr)  # noqa: T201 - for the person who starts it
    except SettingsError as error:
        problems = error.problems
    else:
        if not problems:
            return settings
    for problem in problems:
        print(problem, file=sys.stderr)  # noqa: T201 - for the person who starts it
    raise SystemExit(WRONG_SETTINGS)


def open_host(settings: Settings) -> RoomHost:
    """The host; settings that cannot be used end the process with status 2."""
    try:
        proxies = Proxies.of(os.environ)
        proxies.check(settings.urls)
        if settings.livekit_url is not None:
            proxies.settle(os.environ, settings.livekit_url)
        return RoomHost(settings, TOOLS, proxies=proxies)
    except (InvalidValueError, SettingsError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - for the person who starts it
        raise SystemExit(WRONG_SETTINGS) from None


host = open_host(load_settings())
server = host.agent_server()
