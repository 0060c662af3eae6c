"""The fixture that other projects use, in a project of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

WITHIN = 30.0
ROOT = Path(__file__).parents[2]

CONFTEST = 'pytest_plugins = ["devserver.pytest_plugin"]\n'
TEST = """
import pytest
from livekit import api, rtc

{mark}
async def test_two_clients_talk(livekit_server):
    async with api.LiveKitAPI(
        livekit_server.http_url, livekit_server.api_key, livekit_server.api_secret
    ) as client:
        await client.room.create_room(api.CreateRoomRequest(name="room"))
    token = (
        api.AccessToken(livekit_server.api_key, livekit_server.api_secret)
        .with_identity("someone")
        .with_grants(api.VideoGrants(room_join=True, room="room"))
        .to_jwt()
    )
    room = rtc.Room()
    await room.connect(livekit_server.url, token)
    assert list(livekit_server.rooms["room"].participants) == ["someone"]
    assert livekit_server.rooms["room"].info.num_participants == {counted}
    await room.disconnect()

{mark}
async def test_every_test_has_a_fresh_server(livekit_server):
    assert not livekit_server.rooms
"""


async def run_tests(directory: Path, *options: str) -> tuple[int | None, str]:
    """The exit status and the words of pytest in a project of its own."""
    environ: Mapping[str, str] = os.environ | {"PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"),
        *("-o", "asyncio_default_fixture_loop_scope=function"),
        *options,
        cwd=directory,
        env=environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(WITHIN):
        output, _ = await process.communicate()
    return process.returncode, output.decode()


@pytest.mark.parametrize(
    ("options", "mark", "counted"),
    [
        (["asyncio_mode=auto"], "", 0),
        (
            ["asyncio_mode=strict", "livekit_server_timing=instant"],
            "@pytest.mark.asyncio",
            1,
        ),
    ],
    ids=["auto", "strict, instant"],
)
async def test_a_project_of_its_own_uses_the_fixture(
    tmp_path: Path, options: list[str], mark: str, counted: int
) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_it.py").write_text(TEST.format(mark=mark, counted=counted))
    status, output = await run_tests(tmp_path, *(f"-o{option}" for option in options))
    assert status == 0, output
    assert "2 passed" in output


async def test_an_unknown_timing_is_named(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_it.py").write_text(TEST.format(mark="", counted=0))
    options = ("-oasyncio_mode=auto", "-olivekit_server_timing=fast")
    status, output = await run_tests(tmp_path, *options)
    assert status != 0
    assert "livekit_server_timing is 'fast', not one of livekit, instant" in output
