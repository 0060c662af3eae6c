"""`livekit-devserver`: its wheel, built and used in an empty environment as its README says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = ROOT / "livekit-devserver"
UV = str(Path(sys.executable).parent / "uv")
WITHIN = 120
README = (PROJECT / "README.md").read_text()

pytestmark = pytest.mark.timeout(4 * WITHIN)


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    without = ("PYTHON", "VIRTUAL_ENV", "LIVEKIT_", "PYTEST_")
    environ = {key: value for key, value in os.environ.items() if not key.startswith(without)}
    return subprocess.run(  # noqa: S603 - commands of the tests' own
        command,
        cwd=cwd,
        env=environ,
        check=False,
        capture_output=True,
        text=True,
        timeout=WITHIN,
    )


def example(file: str) -> str:
    """The README's example of this file."""
    [found] = re.findall(rf"^```\w+\n((?:#|//) {re.escape(file)}\n.*?)^```$", README, re.M | re.S)
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built with uv's own backend: nothing is fetched."""
    out = tmp_path_factory.mktemp("wheel")
    built = run(UV, "build", "--wheel", "--offline", "-o", str(out), str(PROJECT), cwd=out)
    assert built.returncode == 0, built.stderr
    [wheel] = out.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that had nothing, with the wheel, what it asks for, and the
    SDK; in the versions of this repository, which are in uv's cache."""
    venv = tmp_path_factory.mktemp("environment") / "venv"
    made = run(sys.executable, "-m", "venv", "--without-pip", str(venv), cwd=venv.parent)
    assert made.returncode == 0, made.stderr
    python = venv / "bin" / "python"
    installed = run(
        *(UV, "pip", "install", "--python", str(python)),
        *("--constraints", str(ROOT / "requirements-dev.lock"), f"{wheel}[pytest]", "livekit"),
        cwd=venv.parent,
    )
    if "Failed to fetch" in installed.stderr:
        pytest.skip("the package index cannot be reached")
    assert installed.returncode == 0, installed.stderr
    return venv / "bin"


def test_the_wheel_has_the_server_alone_and_is_typed(wheel: Path) -> None:
    names = [name for name in zipfile.ZipFile(wheel).namelist() if not name.endswith("/")]
    modules = {name for name in names if ".dist-info/" not in name}
    assert modules == {
        str(path.relative_to(ROOT))
        for path in (ROOT / "devserver").rglob("*")
        if path.suffix == ".py" or path.name == "py.typed"
    }
    assert "devserver/py.typed" in modules


def test_it_asks_for_what_this_repository_asks_for() -> None:
    def asked(project: dict[str, Any], *groups: str) -> dict[str, str]:
        wanted: list[Any] = list(project["project"]["dependencies"])
        for group in groups:
            wanted += project["dependency-groups"][group]
        return {
            re.split(r"[\[~>=]", each)[0]: each[len(re.split(r"[~>=]", each)[0]) :]
            for each in wanted
            if isinstance(each, str)
        }

    ours = asked(tomllib.loads((ROOT / "pyproject.toml").read_text()), "devserver")
    its = asked(tomllib.loads((PROJECT / "pyproject.toml").read_text()))
    by_livekit_agents = {"livekit-api", "livekit-protocol"}
    assert {name: ours.get(name) for name in its.keys() - by_livekit_agents} == {
        name: version for name, version in its.items() if name not in by_livekit_agents
    }


def test_pytest_has_the_fixture_of_the_readme(programs: Path, tmp_path: Path) -> None:
    for file in ("pytest.ini", "test_room.py"):
        (tmp_path / file).write_text(example(file))
    tests = run(str(programs / "python"), "-m", "pytest", "-q", "-W", "error", cwd=tmp_path)
    assert tests.returncode == 0, tests.stdout
    assert "1 passed" in tests.stdout


def test_pytest_loads_no_server_for_tests_without_it(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["devserver.pytest_plugin"]\n')
    (tmp_path / "test_it.py").write_text(
        "import sys\n\ndef test_it():\n    assert not {'aiortc', 'aiohttp'} & sys.modules.keys()\n"
    )
    tests = run(str(programs / "python"), "-m", "pytest", "-q", cwd=tmp_path)
    assert tests.returncode == 0, tests.stdout


COMMAND = """
import asyncio, os, sys
from livekit import api

async def main():
    async with api.LiveKitAPI() as client:
        await client.room.create_room(api.CreateRoomRequest(name="made"))
        rooms = (await client.room.list_rooms(api.ListRoomsRequest())).rooms
        print(*[room.name for room in rooms])

asyncio.run(main())
sys.exit(7)
"""


def test_a_command_runs_beside_the_server(programs: Path, tmp_path: Path) -> None:
    command = (str(programs / "python"), "-c", COMMAND)
    done = run(str(programs / "livekit-devserver"), "--", *command, cwd=tmp_path)
    assert (done.stdout, done.returncode) == ("made\n", 7), done.stderr
    assert "listening on ws://127.0.0.1:" in done.stderr
