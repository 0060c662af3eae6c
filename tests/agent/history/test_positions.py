"""Every message has a position that never changes, and an answer follows its question."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sqlalchemy import delete

from agent.history.database import Database
from agent.history.database_url import DatabaseUrl
from agent.history.durable_history import DurableHistory
from agent.history.history import History
from agent.history.schema import messages
from agent.history.sql_history import SqlHistory
from tests.agent.history.conftest import NewHistory
from tests.agent.history.cut_database import CutDatabase
from tests.agent.history.turns import ROOM, answer_to, asked, ended, everything, take_turn


async def positions(history: History) -> dict[str, int]:
    """The position of each message, by its id."""
    found = {each.id: each.position for each in await everything(history)}
    return {name: position for name, position in found.items() if position is not None}


async def test_an_answer_follows_its_question_whenever_it_is_stored(history: History) -> None:
    first, second = asked("1"), asked("2")
    positions_given = [(await history.add_message(each)).position for each in (first, second)]
    for question in (second, first):
        await history.finish_answer(ended(answer_to(question)))
    kept = await positions(history)
    assert [kept["1"], kept["2"]] == positions_given
    assert sorted(kept, key=lambda each: kept[each]) == ["1", "SG_1", "2", "SG_2"]
    assert kept["SG_1"] == kept["1"] + 1
    assert kept["SG_2"] == kept["2"] + 1


async def test_a_position_outlives_edits_new_answers_and_restarts(
    history: History, new_history: NewHistory
) -> None:
    questions = [asked("1"), replace(asked("1", "Where?"), sender_id="bob"), asked("3")]
    for number, question in enumerate(questions):
        await history.add_message(question)
        await history.finish_answer(ended(answer_to(question, f"SG_{number}")))
    before = {each.key: each.position for each in await everything(history)}
    assert len(set(before.values())) == 6

    again = await history.ask_again(questions[0].key, asker="ann", text="How?")
    assert again.message.position == before[questions[0].key]
    assert (await history.unanswered("kitchen"))[0].message.position == again.message.position
    await history.finish_answer(ended(answer_to(questions[0], "SG_0"), "Thus."))
    await history.delete_message(questions[1].key, asker="bob")
    await take_turn(history, asked("4"))

    other = new_history()
    after = {each.key: each.position for each in await everything(other)}
    assert {key: after[key] for key in before if key in after} == {
        key: before[key] for key in before if key in after
    }
    assert len(after) == 6
    (found,) = await other.find("kitchen", "SG_0", asker="ann")
    assert found.position == before[found.key]


async def test_a_repetition_has_no_position_of_its_own(history: History) -> None:
    first = await history.add_message(asked("1"))
    again = await history.add_message(asked("1"))
    assert first.is_new
    assert (again.is_new, again.position) == (False, None)


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
    database = CutDatabase(tmp_path / "agent.db")
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
