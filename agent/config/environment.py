"""The environment of the process and its `.env` file, as settings."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from pathlib import Path

from agent.config.setting_sources import SETTLED, given, misspelt, names_in
from agent.config.settings import Settings


def settle(environ: MutableMapping[str, str], dotenv: Path) -> None:
    """Copies the whole `.env` file into the environment, and does not read the file again:
    processes that inherit the environment have these settings, whenever they start, and the
    packages that an app uses find their keys."""
    environ.update(given({*Settings.names(), *names_in(environ, dotenv)}, environ, dotenv))
    environ[SETTLED] = "settled"


def slips(environ: Mapping[str, str], dotenv: Path) -> list[str]:
    """A sentence for each variable whose name is nearly that of a setting; it begins with it."""
    return misspelt(Settings.names(), environ, dotenv)
