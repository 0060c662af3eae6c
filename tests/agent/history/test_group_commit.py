"""Writes that come together share a transaction; a bad one harms no other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from agent.history import group_commit
from agent.history.errors import RejectedError, UnavailableError
from agent.history.group_commit import GroupCommit
from agent.history.message import Added
from agent.history.sql_history import SqlHistory
from agent.testing.history_samples import answer_to, asked, ended, everything
from tests.agent.history.cut_database import CutDatabase


@pytest.fixture
def database(tmp_path: Path) -> CutDatabase:
    return CutDatabase(f"sqlite:///{tmp_path}/agent.db")


@pytest.fixture
async def history(database: CutDatabase) -> AsyncGenerator[SqlHistory]:
    history = SqlHistory(database)
    await history.migrate()
    database.writes = 0
    yield history
    await history.aclose()


async def test_writes_that_come_together_share_a_transaction(
    history: SqlHistory, database: CutDatabase
) -> None:
    await asyncio.gather(*(history.add_message(asked(str(n))) for n in range(200)))
    assert database.writes == 1
    assert [m.id for m in await everything(history)] == [str(n) for n in range(200)]


async def test_a_refused_write_fails_alone(history: SqlHistory) -> None:
    first, second = asked("1"), asked("2")
    await history.finish_answer(ended(answer_to(first, "SG_same")))
    outcomes = await asyncio.gather(
        history.add_message(first),
        history.finish_answer(ended(answer_to(second, "SG_same"))),
        history.add_message(second),
        return_exceptions=True,
    )
    assert outcomes[0] == Added(is_new=True, position=4)
    assert isinstance(outcomes[1], RejectedError)
    assert outcomes[2] == Added(is_new=True, position=6)
    assert [m.id for m in await everything(history)] == ["SG_same", "1", "2"]


async def test_writes_behind_a_failed_write_fail_as_well(
    history: SqlHistory, database: CutDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "MAX_BATCH", 1)
    database.fails = {1}
    outcomes = await asyncio.gather(
        *(history.add_message(asked(str(n))) for n in range(3)), return_exceptions=True
    )
    assert all(isinstance(outcome, UnavailableError) for outcome in outcomes)
    assert await history.add_message(asked("3"))
    assert [m.id for m in await everything(history)] == ["3"]


async def test_a_refused_batch_that_fails_halfway_stores_nothing_behind_it(
    history: SqlHistory, database: CutDatabase
) -> None:
    await history.finish_answer(ended(answer_to(asked("1"), "SG_same")))
    # The batch is the second one; then each write has its own.
    database.fails = {4}
    outcomes = await asyncio.gather(
        history.finish_answer(ended(answer_to(asked("2"), "SG_same"))),
        history.add_message(asked("3")),
        history.add_message(asked("4")),
        return_exceptions=True,
    )
    assert isinstance(outcomes[0], RejectedError)
    assert all(isinstance(outcome, UnavailableError) for outcome in outcomes[1:])
    assert [m.id for m in await everything(history)] == ["SG_same"]


async def test_threads_that_somebody_pruned_are_made_again(
    history: SqlHistory, database: CutDatabase
) -> None:
    await history.add_message(asked("1"))
    pruning = text("DELETE FROM history_thread")
    await database.write(lambda connection: connection.execute(pruning))
    await history.add_message(asked("2"))
    assert [m.id for m in await everything(history)] == ["2"]


async def test_an_undone_transaction_leaves_nothing_remembered(
    history: SqlHistory, database: CutDatabase
) -> None:
    database.away = True
    with pytest.raises(UnavailableError):
        await history.add_message(asked("1"))
    database.away = False
    assert await history.add_message(asked("1"))


async def test_the_end_does_not_wait_for_a_slow_database(
    history: SqlHistory, database: CutDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "CLOSE_TIMEOUT", 0.05)
    database.open.clear()
    database.asked.clear()
    call = asyncio.create_task(history.add_message(asked("1")))
    async with asyncio.timeout(5):
        await database.asked.wait()
        later = asyncio.create_task(history.add_message(asked("2")))
        await history.aclose()
        outcomes = await asyncio.gather(call, later, return_exceptions=True)
    assert all(isinstance(outcome, UnavailableError) for outcome in outcomes)


async def test_the_end_leaves_no_write_of_a_refused_batch_without_an_outcome(
    history: SqlHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "CLOSE_TIMEOUT", 0.05)
    await history.finish_answer(ended(answer_to(asked("1"), "SG_same")))
    alone, transact = asyncio.Event(), GroupCommit._transact  # pyright: ignore[reportPrivateUsage]

    async def hang(commits: GroupCommit, batch: list[Any]) -> list[object]:
        if len(batch) == 1:
            alone.set()
            await asyncio.Event().wait()
        return await transact(commits, batch)

    monkeypatch.setattr(GroupCommit, "_transact", hang)
    calls = asyncio.gather(
        history.finish_answer(ended(answer_to(asked("2"), "SG_same"))),
        history.add_message(asked("3")),
        return_exceptions=True,
    )
    async with asyncio.timeout(5):
        await alone.wait()
        await history.aclose()
        outcomes = await calls
    assert all(isinstance(outcome, UnavailableError) for outcome in outcomes)


async def test_the_writes_that_wait_are_bounded(
    history: SqlHistory, database: CutDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "MAX_WAITING", 10)
    database.open.clear()
    calls = [asyncio.create_task(history.add_message(asked(str(n)))) for n in range(20)]
    done, waiting = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
    assert len(done) == 10
    assert all(isinstance(call.exception(), UnavailableError) for call in done)
    database.open.set()
    assert all(await asyncio.gather(*waiting))
