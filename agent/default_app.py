"""The app of a worker: the one that APP names, else the default one."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Final

from agent.app.app import App
from agent.app.loading import load_app

_EXAMPLES: Final = Path(__file__).parent.parent / "tools" / "weather"


def app_of(reference: str) -> App:
    """The app of a reference, or the default one if that is empty. Raises AppError."""
    return load_app(reference) if reference else _default_app()


def root_of(reference: str) -> Path:
    """The folder that holds the files of an app that has been loaded."""
    place = reference.rpartition(":")[0] or reference
    if not place:
        return _EXAMPLES.parent.resolve()
    if place.endswith(".py"):
        return Path(place).resolve().parent
    file = sys.modules[place.partition(".")[0]].__file__
    return Path(file).resolve().parent if file else Path.cwd()


@cache
def _default_app() -> App:
    """AGENT_INSTRUCTIONS, and the tools of the checkout, if there is one: they are no part of an
    installed package."""
    if not _EXAMPLES.is_dir():
        return App()
    from tools import TOOLS  # noqa: PLC0415 - see above

    return App(tools=TOOLS)
