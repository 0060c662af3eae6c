"""`livekit-devserver` for tests: its wheel, an environment with it, the examples of its README."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = ROOT / "livekit-devserver"
UV = str(Path(sys.executable).parent / "uv")
README = (PROJECT / "README.md").read_text()
NOT_CACHED = "not found in the cache"
NO_INDEX = ("Failed to fetch", NOT_CACHED)
"""uv's messages when it cannot reach an index, or may not."""
WITHIN = 240
"""Seconds for one command, which may install packages or compile."""


def run(*command: str, cwd: Path, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, without what this run of the tests has in its environment.

    Programs in `path` come first.
    """
    without = ("PYTHON", "VIRTUAL_ENV", "LIVEKIT_", "PYTEST_")
    environ = {key: value for key, value in os.environ.items() if not key.startswith(without)}
    if path is not None:
        environ["PATH"] = f"{path}{os.pathsep}{environ['PATH']}"
    return subprocess.run(  # noqa: S603 - commands of the tests' own
        command,
        cwd=cwd,
        env=environ,
        check=False,
        capture_output=True,
        text=True,
        timeout=WITHIN,
    )


def write_examples(directory: Path, *files: str) -> None:
    """Write these files as the README has them, by the name in their first line."""
    for file in files:
        pattern = rf"^```\w+\n((?:#|//) {re.escape(file)}\n.*?)^```$"
        [found] = re.findall(pattern, README, re.M | re.S)
        (directory / file).write_text(found)


def installed(done: subprocess.CompletedProcess[str], *unreachable: str) -> None:
    """Skip the test where nothing can be fetched from the registry, which these words tell."""
    said = next((each for each in unreachable if each in done.stderr), None)
    if done.returncode and said is not None:
        pytest.skip(f"packages cannot be fetched: {done.args[0]} says {said!r}")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built with uv's own backend: nothing is fetched.

    A uv whose version is not among those that the project takes would fetch another backend.
    """
    out = tmp_path_factory.mktemp("wheel")
    built = run(UV, "build", "--wheel", "--offline", "-o", str(out), str(PROJECT), cwd=out)
    installed(built, NOT_CACHED)
    [wheel] = out.glob("*.whl")
    return wheel


@pytest.fixture(scope="session")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that had nothing, with the wheel, what it asks for, and the
    SDK; in the versions of this repository, which are in uv's cache."""
    venv = tmp_path_factory.mktemp("environment") / "venv"
    made = run(sys.executable, "-m", "venv", "--without-pip", str(venv), cwd=venv.parent)
    assert made.returncode == 0, made.stderr
    python = venv / "bin" / "python"
    done = run(
        *(UV, "pip", "install", "--python", str(python)),
        *("--constraints", str(ROOT / "requirements-dev.lock"), f"{wheel}[pytest]", "livekit"),
        cwd=venv.parent,
    )
    installed(done, *NO_INDEX)
    return venv / "bin"
