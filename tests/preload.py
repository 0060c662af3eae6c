"""Libraries that stand between a program and the system, built from C by the tests."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path


class NoCompilerError(Exception):
    """There is no C compiler; the message says so."""


def built(source: Path, directory: Path) -> Path:
    """The shared library of a source file, for LD_PRELOAD. Raises NoCompilerError."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise NoCompilerError("no C compiler: Debian's gcc and libc6-dev")
    library = directory / f"{source.stem}.so"
    command = [compiler, "-O2", "-shared", "-fPIC", "-o", library, source]
    subprocess.run(command, check=True)  # noqa: S603 - the tests' own sources
    return library
