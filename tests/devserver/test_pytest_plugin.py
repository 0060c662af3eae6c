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
    await room.disconnect()

{mark}
async def test_every_test_has_a_fresh_server(livekit_server):
    assert not livekit_server.rooms
"""


@pytest.mark.parametrize(
    ("mode", "mark"), [("auto", ""), ("strict", "@pytest.mark.asyncio")], ids=["auto", "strict"]
)
async def test_a_project_of_its_own_uses_the_fixture(tmp_path: Path, mode: str, mark: str) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_it.py").write_text(TEST.format(mark=mark))
    environ: Mapping[str, str] = os.environ | {"PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"),
        *("-o", f"asyncio_mode={mode}", "-o", "asyncio_default_fixture_loop_scope=function"),
        cwd=tmp_path,
        env=environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(WITHIN):
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    assert "2 passed" in output.decode()
