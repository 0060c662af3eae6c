"""Slow first uses are over before anybody joins."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from toolkit.tool import Tool

if TYPE_CHECKING:
    import pytest

    from tests.agent.conftest import Enter, StartWorker


class Described:
    """Parameters that tell when they are described; the first description may fail."""

    names = ()

    def __init__(self, *, fails: bool = False) -> None:
        self._loop = asyncio.get_running_loop()
        self._fails = fails
        self.described = asyncio.Event()

    def json_schema(self) -> dict[str, object]:
        self._loop.call_soon_threadsafe(self.described.set)
        if self._fails:
            self._fails = False
            raise RuntimeError("no description yet")
        return {"type": "object", "properties": {}}

    def validate(self, arguments: Mapping[str, object]) -> dict[str, object]:
        return {}

    def tool(self) -> Tool:
        async def look() -> str:
            return "seen"

        return Tool("look", "Looks.", self, look)


async def test_tools_are_described_before_the_first_room(start_worker: StartWorker) -> None:
    parameters = Described()
    await start_worker(tools=[parameters.tool()])
    async with asyncio.timeout(10):
        await parameters.described.wait()


async def test_rooms_do_without_a_rehearsal(
    enter: Enter, start_worker: StartWorker, caplog: pytest.LogCaptureFixture
) -> None:
    parameters = Described(fails=True)
    ana = await enter("ana", worker=await start_worker(tools=[parameters.tool()]))

    assert (await ana.ask("hello")).finish_reason == "stop"
    assert await ana.call("look") == "seen"
    assert "warming up a room failed; the first room will be slower" in caplog.text
