"""Every message has a position that never changes, and an answer follows its question."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import delete

from agent.history.database import Database
from agent.history.database_url import DatabaseUrl
from agent.history.durable_history import DurableHistory
from agent.history.schema import messages
from agent.history.sql_history import SqlHistory
from agent.testing.history_samples import ROOM, asked, positions, take_turn
from tests.agent.history.cut_database import CutDatabase


async def test_an_answer_without_its_question_has_a_position(database_url: str) -> None:
    database = Database(DatabaseUrl.parse(database_url))
    history = SqlHistory(database)
    await history.migrate()
    await take_turn(history, asked("1"))
    await take_turn(history, asked("2"))
    pruned = delete(messages).where(messages.c.message_id == "1")
    await database.write(lambda connection: connection.execute(pruned).rowcount)
    kept = await positions(history)
    assert list(kept) == ["SG_1", "2", "SG_2"]
    assert sorted(kept.values()) == list(kept.values())
    await history.aclose()


async def test_a_position_is_not_known_while_the_database_is_away(tmp_path: Path) -> None:
    database = CutDatabase(f"sqlite:///{tmp_path}/agent.db")
    history = DurableHistory(SqlHistory(database), first_pause=0.01)
    await history.migrate()
    database.away = True
    added = await history.add_message(asked("1"))
    assert (added.is_new, added.position) == (True, None)
    database.away = False
    await history.written()
    page = await history.page(ROOM, asker="ann")
    assert [each.position for each in page.messages] == [2]
    await history.aclose()
