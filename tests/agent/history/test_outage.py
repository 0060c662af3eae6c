"""The room goes on while the database is unavailable, and nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import sys
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Pool, event

from agent.history import durable_history, group_commit, told_answers
from agent.history.backlog import MAX_WRITES, Backlog
from agent.history.database import USE_TIMEOUT, Database, Result, Work
from agent.history.database_url import DatabaseUrl
from agent.history.durable_history import BATCH, DurableHistory
from agent.history.errors import RejectedError, UnavailableError
from agent.history.message import Message
from agent.history.sql_history import SqlHistory
from agent.testing.history_samples import ROOM, answer_to, asked, ended, everything, take_turn
from tests.agent.history.cut_database import CutDatabase


@dataclass
class Kept:
    """A history and the database under it."""

    history: DurableHistory
    database: CutDatabase

    async def back(self) -> None:
        """Gives the database back, and returns when it has everything."""
        self.database.away = False
        self.database.confirms = True
        self.database.open.set()
        async with asyncio.timeout(20):
            await self.history.written()
        assert self.history.healthy
        assert self.history.waiting == 0

    async def ids(self) -> list[str]:
        return [message.id for message in await everything(self.history)]


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncGenerator[Kept]:
    """A history that keeps at most 9 writes."""
    database = CutDatabase(f"sqlite:///{tmp_path}/agent.db")
    backlog = Backlog(max_writes=9, max_characters=10_000)
    history = DurableHistory(SqlHistory(database), backlog=backlog, patience=0.3, first_pause=0.01)
    await history.migrate()
    yield Kept(history, database)
    await history.aclose()


async def test_turns_are_kept_and_written_in_order(kept: Kept) -> None:
    await take_turn(kept.history, asked("1"))
    kept.database.away = True
    for number in "23":
        await take_turn(kept.history, asked(number))
    assert not kept.history.healthy
    assert kept.history.waiting == 6
    with pytest.raises(UnavailableError):
        await kept.history.page(ROOM, asker="ann")
    await kept.back()
    await take_turn(kept.history, asked("4"))
    assert await kept.ids() == ["1", "SG_1", "2", "SG_2", "3", "SG_3", "4", "SG_4"]
    assert await kept.history.unanswered("kitchen") == ()


async def test_the_history_is_whole_after_an_outage(tmp_path: Path) -> None:
    database = CutDatabase(f"sqlite:///{tmp_path}/agent.db")
    history = DurableHistory(SqlHistory(database), first_pause=0.01)
    await history.migrate()
    database.away = True
    for number in range(2 * BATCH - 1):
        await history.add_message(asked(str(number)))
    database.away = False
    found: tuple[Message, ...] = ()
    async with asyncio.timeout(20):
        while not found:
            with contextlib.suppress(UnavailableError):
                found = (await history.page(ROOM, asker="ann", limit=200)).messages
            await asyncio.sleep(0)  # A call that fails at once lets nothing else run.
    assert len(found) == 2 * BATCH - 1
    await history.aclose()


async def test_a_stored_message_is_not_new_again(kept: Kept) -> None:
    kept.database.away = True
    assert await kept.history.add_message(asked("1"))
    assert not await kept.history.add_message(asked("1"))
    await kept.back()
    assert not await kept.history.add_message(asked("1"))
    assert await kept.ids() == ["1"]


async def test_a_commit_without_confirmation_is_no_repetition(kept: Kept) -> None:
    kept.database.confirms = False
    question = asked("1")
    assert await kept.history.add_message(question), "else nobody would answer it"
    answer = await kept.history.begin_answer(answer_to(question))
    await kept.history.finish_answer(ended(answer))
    await kept.back()
    assert await kept.ids() == ["1", "SG_1"]


async def test_nobody_waits_long_for_a_slow_database(kept: Kept) -> None:
    kept.database.open.clear()
    async with asyncio.timeout(5):
        for number in range(3):
            await take_turn(kept.history, asked(str(number)))
    assert not kept.history.healthy
    await kept.back()
    assert await kept.ids() == ["0", "SG_0", "1", "SG_1", "2", "SG_2"]


async def test_the_oldest_turns_are_given_up_whole(
    kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    stored = asked("stored")
    await kept.history.add_message(stored)
    kept.database.away = True
    await kept.history.finish_answer(ended(answer_to(stored)))
    slow = asked("slow")
    await kept.history.add_message(slow)
    for number in range(8):
        await take_turn(kept.history, asked(str(number)))
    # Its question was given up: it must not stand there alone.
    await kept.history.finish_answer(ended(answer_to(slow)))
    await kept.back()
    # The end of an answer whose question the database has is kept: it would be answered again.
    assert await kept.ids() == ["stored", "SG_stored", "6", "SG_6", "7", "SG_7"]
    assert await kept.history.unanswered("kitchen") == ()
    assert kept.history.given_up == 2 + 6 * 3
    assert "dropping the oldest buffered turns" in caplog.text


async def test_long_texts_count_by_their_length(kept: Kept) -> None:
    kept.database.away = True
    for number in range(4):
        await kept.history.add_message(asked(str(number), "x" * 4_000))
    await kept.history.add_message(asked("too long", "x" * 20_000))
    await kept.history.add_message(asked("last"))
    await kept.back()
    assert await kept.ids() == ["last"]
    assert kept.history.given_up == 5


async def test_a_refused_write_is_not_tried_again_and_stops_no_other(
    kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = asked("1"), asked("2")
    kept.database.away = True
    for question in (first, second):
        await kept.history.add_message(question)
        await kept.history.begin_answer(answer_to(question, "SG_same"))
    await kept.history.add_message(asked("3", "very secret"))
    await kept.back()
    assert await kept.ids() == ["1", "2", "3"]
    assert "lost" in caplog.text
    assert "very secret" not in caplog.text
    with pytest.raises(RejectedError):
        await kept.history.begin_answer(answer_to(second, "SG_same"))
    assert kept.history.healthy


async def test_a_failed_read_is_enough_to_look_for_the_database(kept: Kept) -> None:
    await kept.history.add_message(asked("1"))
    kept.database.away = True
    with pytest.raises(UnavailableError):
        await kept.history.threads("kitchen", asker="ann")
    assert not kept.history.healthy
    await kept.back()
    assert await kept.ids() == ["1"]


async def test_a_cancelled_caller_has_its_message_kept(kept: Kept) -> None:
    kept.database.open.clear()
    kept.database.asked.clear()
    call = asyncio.create_task(kept.history.add_message(asked("1")))
    async with asyncio.timeout(5):
        await kept.database.asked.wait()
    call.cancel()
    await asyncio.wait((call,))
    assert call.cancelled()
    await kept.back()
    assert await kept.ids() == ["1"]


async def test_a_database_that_is_away_at_the_start_is_migrated_later(tmp_path: Path) -> None:
    database = CutDatabase(f"sqlite:///{tmp_path}/agent.db")
    database.away = True
    history = DurableHistory(SqlHistory(database), first_pause=0.01)
    kept = Kept(history, database)
    await history.migrate()
    assert not history.healthy
    await take_turn(history, asked("1"))
    await kept.back()
    assert await kept.ids() == ["1", "SG_1"]
    await history.aclose()


async def test_the_end_writes_what_is_left_if_it_can(kept: Kept, tmp_path: Path) -> None:
    kept.database.away = True
    await take_turn(kept.history, asked("1"))
    kept.database.away = False
    await kept.history.aclose()
    assert kept.history.waiting == 0
    with pytest.raises(UnavailableError):
        await kept.history.add_message(asked("2"))


async def test_the_end_waits_for_a_database_that_comes_back_meanwhile(kept: Kept) -> None:
    kept.database.away = True
    await take_turn(kept.history, asked("1"))
    ending = asyncio.create_task(kept.history.aclose())
    for _ in range(3):
        kept.database.refused.clear()
        async with asyncio.timeout(4):
            await kept.database.refused.wait()
    assert not ending.done()
    kept.database.away = False
    await ending
    assert kept.history.waiting == 0


async def test_the_end_does_not_wait_long_for_a_database_that_is_away(
    kept: Kept, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable_history, "CLOSE_TIMEOUT", 0.2)
    kept.database.away = True
    await take_turn(kept.history, asked("1"))
    async with asyncio.timeout(4):
        await kept.history.aclose()
    assert kept.history.waiting == 3
    assert "3 buffered writes are lost" in caplog.text


async def test_an_answer_is_not_stored_before_its_question(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transaction of the question fails, and those of its answer would not."""
    monkeypatch.setattr(group_commit, "MAX_BATCH", 1)
    kept.database.fails = {kept.database.writes + 1}
    answer = answer_to(asked("1"))
    await asyncio.gather(
        kept.history.add_message(asked("1")),
        kept.history.begin_answer(answer),
        kept.history.finish_answer(ended(answer)),
    )
    await kept.back()
    assert await kept.ids() == ["1", "SG_1"]
    # A worker that comes does not answer it again.
    assert await kept.history.unanswered("kitchen") == ()


async def test_an_answer_delivered_during_an_outage_counts_as_delivered_after_it(
    kept: Kept,
) -> None:
    kept.database.away = True
    answer = await take_turn(kept.history, asked("1"))
    kept.history.end_told(answer.key)
    await kept.back()
    # As a conversation asks that began without its past.
    assert await kept.history.untold("kitchen") == ()


async def test_delivery_is_recorded_behind_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(told_answers, "PAUSE", 0.0)
    database = CutDatabase(f"sqlite:///{tmp_path}/agent.db")
    # It does not notice by itself that the database is back.
    history = DurableHistory(SqlHistory(database), first_pause=3_600.0)
    await history.migrate()
    database.away = True
    answer = await take_turn(history, asked("1"))
    database.away = False
    history.end_told(answer.key)
    # Longer than a note takes that is written at once.
    for _ in range(5):
        await history.token_usage.forget("2000-01-01")
    await history.aclose()
    after = SqlHistory(Database(DatabaseUrl.parse(f"sqlite:///{tmp_path}/agent.db")))
    assert [each.id for each in await everything(after)] == ["1", "SG_1"]
    assert await after.untold("kitchen") == ()
    await after.aclose()


async def left_waiting(database: CutDatabase, turns: int) -> DurableHistory:
    """A history whose database comes back right before its end; three writes of each turn wait."""
    history = DurableHistory(SqlHistory(database))
    await history.migrate()
    database.away = True
    for number in range(turns):
        await take_turn(history, asked(str(number)))
    assert (history.waiting, history.given_up) == (3 * turns, 0)
    database.away = False
    return history


@pytest.mark.parametrize(
    "database_url", ["sqlite", pytest.param("postgres", marks=pytest.mark.lengthy)], indirect=True
)
async def test_the_end_writes_ten_thousand_waiting_writes(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable_history, "CLOSE_TIMEOUT", 10.0)
    turns = MAX_WRITES // 3
    history = await left_waiting(CutDatabase(database_url), turns)
    began = time.monotonic()
    await history.aclose(longest=60.0)
    # `-s` shows it: the figures of docs/reliability.md.
    sys.stdout.write(f"{MAX_WRITES} writes: {time.monotonic() - began:.1f} s\n")
    assert history.waiting == 0
    after = SqlHistory(Database(DatabaseUrl.parse(database_url)))
    assert len(await everything(after)) == 2 * turns
    await after.aclose()


class SlowDatabase(CutDatabase):
    """Each of its transactions takes 60 seconds by the clock of the loop."""

    async def write(self, work: Work[Result], timeout: float = USE_TIMEOUT) -> Result:  # noqa: ASYNC109 - as in Database
        result = await super().write(work, timeout)
        loop = asyncio.get_running_loop()
        now = loop.time
        loop.time = lambda: now() + 60  # pyright: ignore[reportAttributeAccessIssue]
        return result


@pytest.mark.asyncio(loop_scope="function")  # The clock of another loop is left alone.
async def test_the_end_goes_on_as_long_as_something_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable_history, "CLOSE_TIMEOUT", 100.0)
    history = await left_waiting(SlowDatabase(f"sqlite:///{tmp_path}/agent.db"), 2 * BATCH)
    began = asyncio.get_running_loop().time()
    await history.aclose(longest=10_000.0)
    assert history.waiting == 0
    assert asyncio.get_running_loop().time() - began >= 3 * 100


async def test_the_end_does_not_wait_long_for_many_writes_and_says_what_is_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    history = await left_waiting(CutDatabase(f"sqlite:///{tmp_path}/agent.db"), 1_000)
    await history.aclose(longest=0.02)
    assert 0 < history.waiting <= 3_000
    assert f"{history.waiting} buffered writes are lost" in caplog.text


@pytest.mark.parametrize(
    ("pragma", "mended"),
    [("max_page_count = 1", "max_page_count = 100000"), ("query_only = on", "query_only = off")],
    ids=["full", "read-only"],
)
async def test_a_database_that_takes_no_writes_gets_them_later(
    tmp_path: Path, pragma: str, mended: str, caplog: pytest.LogCaptureFixture
) -> None:
    def use(sql: str) -> None:
        for connection in connections:
            connection.execute(f"PRAGMA {sql}")

    def note(connection: sqlite3.Connection, _: object) -> None:
        connections.append(connection)

    connections: list[sqlite3.Connection] = []
    event.listen(Pool, "connect", note)
    try:
        history = DurableHistory(
            SqlHistory(Database(DatabaseUrl.parse(f"sqlite:///{tmp_path}/agent.db"))),
            first_pause=0.01,
        )
        await history.migrate()
        use(pragma)
        for number in range(3):
            await take_turn(history, asked(str(number), text="long " * 2_000))
        assert not history.healthy
        use(mended)
        async with asyncio.timeout(20):
            await history.written()
        assert len(await everything(history)) == 6
        await history.aclose()
    finally:
        event.remove(Pool, "connect", note)
    assert ("is full" if "page" in pragma else "readonly") in caplog.text
