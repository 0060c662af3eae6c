"""A retention period of a store of the app's own, whatever the worker's clock says."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from agent.history import sql_history
from agent.history.erasure import Erased
from agent.history.open_history import open_history
from agent.testing.history_samples import asked, everything, take_turn
from tests.agent.history.conftest import database_url
from tests.agent.history.stores import FullStore

__all__ = ("database_url",)

DAY = 86_400_000


@pytest.mark.parametrize(
    ("wrong", "before", "is_erased"), [(365 * DAY, 364 * DAY, False), (-365 * DAY, DAY, True)]
)
async def test_a_clock_that_is_ahead_makes_nothing_old_and_one_behind_keeps_nothing(
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    wrong: int,
    before: int,
    *,
    is_erased: bool,
) -> None:
    if database_url.startswith("sqlite"):
        pytest.skip("SQLite has the machine's clock")
    history = open_history(database_url, FullStore())
    await history.migrate()
    await take_turn(history, asked("m1"))
    now = int(time.time() * 1000)
    there = (now + wrong) / 1000
    monkeypatch.setattr(sql_history, "time", SimpleNamespace(time=lambda: there))
    erased = await history.expire(now + before, batch=10, pause=0)
    assert (erased != Erased()) is is_erased
    assert [each.id for each in await everything(history)][:1] == ([] if is_erased else ["m1"])
    monkeypatch.undo()
    if is_erased:
        await take_turn(history, asked("m2"))
    assert (await history.expire(now + DAY, batch=10, pause=0)).messages > 0
    await history.aclose()
