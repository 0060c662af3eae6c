"""`livekit-devserver`: its wheel, built and used in an empty environment as its README says."""

from __future__ import annotations

import re
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.devserver.distribution import PROJECT, ROOT, WITHIN, run, write_examples

pytestmark = pytest.mark.timeout(2 * WITHIN)


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
    write_examples(tmp_path, "pytest.ini", "test_room.py")
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
