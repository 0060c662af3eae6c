"""Erasing leaves nothing behind, and does not touch others' data."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
from sqlalchemy import select, text

from agent.accounts.event import body_of
from agent.history import sql_erasure
from agent.history.accounts import OutgoingEvent
from agent.history.conversation_name import of_id, of_session
from agent.history.database import Database
from agent.history.database_url import DatabaseUrl
from agent.history.erasure import Erased, Subject
from agent.history.errors import InvalidValueError
from agent.history.history import History
from agent.history.made_calls import KeptCall
from agent.history.message import Attachment, Feedback, Summary, ThreadKey
from agent.history.migrate import migrate
from agent.history.schema import metadata
from agent.history.token_usage import Account, TokenCount
from agent.testing.history_samples import ROOM, asked, take_turn

PRIVATE = ThreadKey("kitchen", "ann")
HASH = "ab" * 32


def file_of(message_id: str, sha256: str = HASH) -> Attachment:
    return Attachment(f"f-{message_id}", "a.txt", "text/plain", 3, sha256)


async def fill(history: History) -> None:
    """Ann's and Bob's messages, each with an answer, and what they think of them."""
    ann = replace(asked("m1", "ann's word"), attachments=(file_of("m1"),))
    answer = await take_turn(history, ann, "to ann")
    bob = asked("m2", "bob's word", sender="bob")
    to_bob = await take_turn(history, bob, "to bob")
    await take_turn(history, asked("m3", "ann's secret", thread=PRIVATE), "between us")
    await history.set_reaction(to_bob.key, "👍", asker="ann")
    await history.set_reaction(answer.key, "👍", asker="bob")
    await history.set_feedback(to_bob.key, Feedback("ann", "up", "ann's comment"))
    await history.set_summary(ROOM, Summary("ann said a word", to_bob.key))
    await history.boards.append("kitchen", 0, [(1, "{}")])
    now = int(time.time() * 1000)
    for key, name in (("k1", "ann"), ("k2", "bob")):
        call = KeptCall(key, ROOM, name, name, "m1", "report", "{}", f"TC_{key}", 0, now)
        await history.made_calls.keep(call)


async def everything(database_url: str) -> str:
    """All that stands in the tables, as text."""
    database = Database(DatabaseUrl.parse(database_url))
    rows = await database.read(
        lambda connection: [
            repr(tuple(row))
            for table in metadata.sorted_tables
            for row in connection.execute(select(table))
        ]
    )
    await database.aclose()
    return "\n".join(rows)


async def test_nothing_of_a_participant_is_left(history: History, database_url: str) -> None:
    await fill(history)
    erased = await history.erase(Subject("ann"))
    assert erased == Erased(
        messages=4,
        threads=1,
        summaries=1,
        reactions=2,
        feedback=1,
        files=1,
        contents=frozenset({HASH}),
    )
    left = await everything(database_url)
    assert "ann" not in left
    assert [each.identity for each in await history.made_calls.kept("kitchen")] == ["bob"]
    assert [each.text for each in (await history.page(ROOM, asker="bob")).messages] == [
        "bob's word",
        "to bob",
    ]
    assert await history.attached_content([HASH]) == frozenset()
    assert await history.erase(Subject("ann")) == Erased()


async def test_all_sessions_of_a_room_are_erased_and_other_rooms_stay(
    history: History, database_url: str
) -> None:
    names = [of_session("kitchen", "RM_1"), of_session("kitchen", "RM_2"), "kitchen"]
    others = [of_session("kitchen:RM_1", "RM_3"), of_session("kit", "RM_4"), of_id("kitchen")]
    others += ["kitchen2", of_session("kitchen%", "RM_5")]
    for name in names + others:
        await take_turn(history, asked("m1", f"said in {name}", thread=ThreadKey(name)))
        await history.boards.append(name, 0, [(1, "{}")])
    erased = await history.erase(Subject(room="kitchen"))
    assert (erased.messages, erased.threads, erased.boards) == (6, 3, 3)
    for name in others:
        assert len((await history.page(ThreadKey(name), asker="bob")).messages) == 2
        assert (await history.boards.load(name)).operations
    assert await history.boards.names("", 10) == tuple(sorted(others))
    left = await everything(database_url)
    assert not any(f"said in {name}'" in left for name in names)


async def test_a_participant_is_erased_in_one_conversation_alone(history: History) -> None:
    for name in ("kitchen", "hall"):
        await take_turn(history, asked("m1", thread=ThreadKey(name)))
    erased = await history.erase(Subject("ann", conversation="hall"))
    assert erased.messages == 2
    assert len((await history.page(ROOM, asker="bob")).messages) == 2


async def test_more_than_a_batch_is_erased(history: History) -> None:
    await asyncio.gather(*(history.add_message(asked(f"m{n}")) for n in range(1_100)))
    await history.add_message(asked("m1", sender="bob"))
    assert (await history.erase(Subject("ann"))).messages == 1_100
    assert len((await history.page(ROOM, asker="bob")).messages) == 1


async def test_erased_content_may_be_sent_again(history: History) -> None:
    await take_turn(history, asked("m1"))
    await history.erase(Subject(conversation="kitchen"))
    assert await history.add_message(asked("m1"))


def test_nobody_erases_everything_by_naming_nothing() -> None:
    with pytest.raises(InvalidValueError):
        Subject()


async def test_no_bytes_of_it_stay_in_a_file(tmp_path: Path) -> None:
    from agent.history.sql_history import SqlHistory  # noqa: PLC0415

    file = tmp_path / "agent.db"
    history = SqlHistory(Database(DatabaseUrl.parse(f"sqlite:///{file}")))
    await history.migrate()
    await take_turn(history, asked("m1", "the word is Rosebud " * 400))
    await history.erase(Subject("ann"))
    await history.aclose()
    assert b"Rosebud" not in file.read_bytes()


async def test_expired_data_is_erased_in_batches(history: History) -> None:
    for number in range(25):
        await take_turn(history, asked(f"m{number}"))
    await history.boards.append("kitchen", 0, [(1, "{}")])
    now = int(time.time() * 1000)
    call = KeptCall("k1", ROOM, "ann", "Ann", "m1", "report", "{}", "TC_k1", 0, now)
    await history.made_calls.keep(call)
    assert await history.expire(0, batch=10, pause=0) == Erased()
    erased = await history.expire(2**62, batch=10, pause=0)
    assert (erased.messages, erased.threads, erased.boards) == (50, 1, 1)
    assert (await history.page(ROOM, asker="ann")).messages == ()
    assert await history.made_calls.kept("kitchen") == ()


async def test_a_sender_s_clock_does_not_decide_what_is_old(history: History) -> None:
    old = replace(asked("m1"), timestamp=0)
    await take_turn(history, old)
    assert await history.expire(1_700_000_000_000, batch=10, pause=0) == Erased()
    assert len((await history.page(ROOM, asker="ann")).messages) == 2


async def test_rows_of_an_older_version_go_by_the_senders_clock(
    history: History, database_url: str
) -> None:
    await take_turn(history, replace(asked("m1"), timestamp=1_000))
    await history.boards.append("kitchen", 0, [(1, "{}")])
    database = Database(DatabaseUrl.parse(database_url))
    await migrate(database)
    for table in ("history_message", "board_operation"):
        forget = text(f"UPDATE {table} SET stored_at = NULL")  # noqa: S608 - names of ours
        await database.write(lambda connection, forget=forget: connection.execute(forget))
    await database.aclose()
    erased = await history.expire(1_500, batch=10, pause=0)
    # Nobody knows how old the board is: its time begins now.
    assert (erased.messages, erased.boards) == (1, 0)
    assert (await history.boards.load("kitchen")).operations


async def test_rows_of_a_clock_that_was_ahead_hold_no_others_up(
    history: History, database_url: str
) -> None:
    for number in range(4):
        await take_turn(history, asked(f"m{number}"))
    database = Database(DatabaseUrl.parse(database_url))
    ahead = int((time.time() + 365 * 86_400) * 1000)
    moved = text(
        "UPDATE history_message SET stored_at = :ahead WHERE position IN "
        "(SELECT position FROM history_message ORDER BY position LIMIT 4)"
    )
    await database.write(lambda connection: connection.execute(moved, {"ahead": ahead}))
    await database.aclose()
    erased = await history.expire(ahead - 1, batch=2, pause=0)
    assert erased.messages == 4


async def test_a_worker_s_clock_that_is_ahead_makes_nothing_old(
    history: History, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database_url.startswith("sqlite"):
        pytest.skip("SQLite has the machine's clock")
    await take_turn(history, asked("m1"))
    await history.boards.append("kitchen", 0, [(1, "{}")])
    wrong = time.time() + 365 * 86_400
    monkeypatch.setattr(sql_erasure, "time", SimpleNamespace(time=lambda: wrong))
    before = int((wrong - 30 * 86_400) * 1000)
    assert await history.expire(before, batch=10, pause=0) == Erased()


async def test_a_message_that_comes_while_its_empty_thread_expires_stays(
    history: History, database_url: str
) -> None:
    if database_url.startswith("sqlite"):
        pytest.skip("on SQLite one process writes at a time")
    await take_turn(history, asked("m1"))
    async with await psycopg.AsyncConnection.connect(database_url) as other:
        await other.execute("CREATE TEMP TABLE message AS SELECT * FROM history_message")
        await other.execute("DELETE FROM history_message")
        await other.commit()
        # Another worker is about to store one.
        await other.execute("INSERT INTO history_message SELECT * FROM message")
        expiring = asyncio.create_task(history.expire(0, batch=10, pause=0))
        # It waits for nobody; if it did, it would go on with the commit.
        await asyncio.wait((expiring,), timeout=5)
        await other.commit()
    assert await expiring == Erased()
    assert len((await history.page(ROOM, asker="ann")).messages) == 2


@pytest.mark.parametrize(
    ("subject", "left"),
    [
        (Subject("ann"), {"b in kitchen", "b in hall"}),
        (Subject(room="kitchen"), {"a in hall", "b in hall"}),
        (
            Subject("ann", conversation=of_session("kitchen", "RM_1")),
            {"b in kitchen", "a in hall", "b in hall"},
        ),
    ],
)
async def test_events_that_wait_for_their_receivers_go_with_whom_they_name(
    history: History, database_url: str, subject: Subject, left: set[str]
) -> None:
    events = [
        OutgoingEvent(
            f"{who} in {room}",
            "http://receiver",
            1,
            body_of("EV_1", "message.received", 1, {"room": room, "senderId": sender, "text": who}),
        )
        for room in ("kitchen", "hall")
        for who, sender in (("a", "ann"), ("b", 'ann"'))
    ]
    await history.accounts.put_events(events)
    await history.erase(subject)
    stored = await everything(database_url)
    assert {each.id for each in events if each.id in stored} == left


async def test_events_of_a_private_thread_go_with_its_owner_and_words_name_nobody(
    history: History, database_url: str
) -> None:
    said = {"senderId": "ann", "role": "user", "text": "user"}
    data: dict[str, dict[str, object]] = {
        "EV_private": {"thread": "private:user"},
        "EV_asked": {"thread": "room", "askerId": "user"},
        "EV_called": {"thread": None, "callerId": "user"},
        "EV_rated": {"thread": "room", "identity": "user"},
        "EV_other": {"thread": "private:user2", "transcript": [said]},
    }
    events = [
        OutgoingEvent(event_id, "http://receiver", 1, body_of(event_id, "tool.finished", 1, fields))
        for event_id, fields in data.items()
    ]
    await history.accounts.put_events(events)
    await history.erase(Subject("user"))
    stored = await everything(database_url)
    assert [each for each in data if each in stored] == ["EV_other"]


async def test_counts_of_tokens_go_with_their_participant_or_room(history: History) -> None:
    usage, day, some = history.token_usage, "2026-03-01", TokenCount(1, 1)
    accounts = [Account(room=room, identity=who) for room in "ab" for who in ("", "ann", "bob")]
    tenant = Account(tenant="acme")
    await usage.add(day, dict.fromkeys([*accounts, tenant], some))
    await history.erase(Subject(identity="ann"))
    left = [each for each in accounts if each.identity != "ann"]
    assert (await usage.read(day, [*accounts, tenant])).keys() == {*left, tenant}
    await history.erase(Subject(room="a"))
    left = [each for each in left if each.room != "a"]
    assert (await usage.read(day, [*accounts, tenant])).keys() == {*left, tenant}
