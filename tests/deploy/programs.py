"""Programs that check files of deploy/: those of `make setup-deploy`, or of PATH."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

FETCHED = Path(".venv-deploy/bin").absolute()


def find(name: str) -> str | None:
    """The path of a program, or None where there is none."""
    return shutil.which(name, path=f"{FETCHED}{os.pathsep}{os.environ.get('PATH', '')}")
