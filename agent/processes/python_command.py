"""Python's arguments for a process that runs a module of ours."""

from __future__ import annotations

import sysconfig
from pathlib import Path
from typing import Final

_PACKAGES: Final = Path(__file__).resolve().parents[2]


def module(name: str) -> list[str]:
    """The arguments that run a module.

    Where this package is installed, the working directory is left out of the path: an app's file
    may be called agent.py.
    """
    installed = sysconfig.get_path("purelib")
    safe = ["-P"] if Path(installed).resolve() == _PACKAGES else []
    return [*safe, "-m", name]
