"""Blocks of the rooms' loop are reported with a stack, from a limit on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from agent.host import loop_watch
from toolkit.tool import tool

if TYPE_CHECKING:
    from tests.agent.conftest import Enter, StartWorker

ATTEMPTS = 4
"""A loaded machine may keep the watching thread from looking in time: nothing is logged then."""


@tool
async def stand_still() -> str:
    """Blocks the loop that it runs on."""
    time.sleep(2 * loop_watch.REPORTED_BLOCK)  # noqa: ASYNC251 - that is what is looked for
    return "done"


async def test_a_tool_that_blocks_all_rooms_is_named(
    enter: Enter,
    start_worker: StartWorker,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(loop_watch.LOOP_BLOCK, raising=False)
    ana = await enter("ana", worker=await start_worker(tools=[stand_still]))

    for _ in range(ATTEMPTS):
        await ana.me.perform_rpc(destination_identity="agent", method="standStill", payload="")
        # The answer may be faster than the loop's next look at itself.
        await ana.me.perform_rpc(destination_identity="agent", method="listThreads", payload="")
        if any("stand_still" in getattr(record, "stack", "") for record in caplog.records):
            break
    else:
        pytest.fail("nothing names the tool that blocked the loop")
    assert (await ana.ask("still there?")).finish_reason == "stop"


@pytest.mark.parametrize(
    ("milliseconds", "seconds"),
    [(None, loop_watch.REPORTED_BLOCK), ("400", 0.4), ("1", loop_watch.SHORTEST_BLOCK)],
)
def test_the_limit_is_the_environments(
    milliseconds: str | None, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(loop_watch.LOOP_BLOCK, raising=False)
    if milliseconds is not None:
        monkeypatch.setenv(loop_watch.LOOP_BLOCK, milliseconds)

    limits = loop_watch.thresholds()

    assert limits is not None
    assert limits.warn == seconds
    assert limits.error >= seconds


def test_with_a_limit_of_nothing_nothing_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(loop_watch.LOOP_BLOCK, "0")

    assert loop_watch.thresholds() is None
