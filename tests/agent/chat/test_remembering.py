"""A worker knows earlier stays: replies, ids, and a history that is restored later."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psycopg
import pytest
from livekit import api

from devserver.model import DemoModel, Reply
from tests.agent.chat.test_history import replace, until_stored
from tests.agent.chat_client import WITHIN
from tests.agent.conftest import Enter, StartWorker
from tests.agent.database_return import until_the_database_is_back
from tests.agent.outages import MissingSqlite
from tests.agent.replies.test_private import private_answer
from tests.devserver.dispatches import dispatch
from tests.postgres import PostgresServer

RECORD = "The record:\n"
"""Stands before what a summary is asked of, and nowhere else."""


def asked(model: DemoModel) -> list[str]:
    """People's messages in the model's last request, without its own question."""
    chats = [each.chat for each in model.requests if RECORD not in each.chat.user_text]
    return [each.text for each in chats[-1].messages if each.role == "user"]


async def test_a_reply_to_an_answer_of_an_earlier_stay_is_for_the_agent(
    start_worker: StartWorker, enter: Enter, lk_api: api.LiveKitAPI, room_name: str
) -> None:
    first = await start_worker(REPLY_POLICY="mention")
    alice, bob = await enter("alice", worker=first), await enter("bob", worker=first)
    earlier = await alice.ask("agent, what is up?")
    overheard = await bob.say("nothing much")
    await until_stored(bob, overheard)
    former = alice.agent_sid
    await first.server.aclose()
    other = await start_worker(DATABASE_URL=first.settings.database_url, REPLY_POLICY="mention")
    await dispatch(lk_api, room_name, other.name)
    await alice.until_ready_again(former)

    not_for_it = await alice.say("you are right", in_reply_to=overheard)
    made_up = await alice.say("who said that?", in_reply_to="SG_0123456789abcdef")
    answer = await alice.ask("and then?", in_reply_to=earlier.attributes["lk.segment_id"])
    assert answer.finish_reason == "stop"
    packet = {"type": "chat", "id": "p-1", "text": "and later?"}
    await bob.send_packet(packet | {"replyTo": answer.attributes["lk.segment_id"]})
    assert (await bob.answer_to("p-1")).finish_reason == "stop"
    await until_stored(alice, made_up)
    assert not {not_for_it, made_up} & alice.answered()


async def test_another_text_under_an_id_that_was_used_is_refused(
    start_worker: StartWorker,
    enter: Enter,
    model: DemoModel,
    lk_api: api.LiveKitAPI,
    room_name: str,
) -> None:
    first = await start_worker()
    alice = await enter("alice", worker=first)
    packet = {"type": "chat", "id": "1", "text": "first"}
    await alice.send_packet(packet)
    await alice.answer_to("1")
    await alice.send_packet(packet)
    await alice.send_packet(packet | {"text": "second"})
    await alice.notice("error", code=409, messageIds=["1"])
    former = alice.agent_sid
    await replace(first, start_worker, room_name, lk_api)
    await alice.until_ready_again(former)

    alice.packets.clear()
    await alice.send_packet(packet)
    await alice.send_packet(packet | {"text": "third"})
    await alice.notice("error", code=409, messageIds=["1"])
    await alice.ask("and now?")
    assert len(alice.notices("error")) == 1
    assert asked(model) == ["first", "and now?"]
    assert len(alice.finished("1")) == 1


async def test_an_agent_is_ready_though_the_database_does_not_answer(
    start_worker: StartWorker,
    enter: Enter,
    postgres: PostgresServer,
    room_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = postgres.create_database("silent")
    worker = await start_worker(DATABASE_URL=url)
    await enter("bob", worker=worker, room=f"{room_name}, another")
    # Nothing else ends the wait for it while somebody waits for the agent.
    monkeypatch.setattr("agent.history.database.USE_TIMEOUT", 2 * WITHIN)
    monkeypatch.setattr("agent.chat.conversation_store.RECALL_TIMEOUT", 2 * WITHIN)
    async with await psycopg.AsyncConnection.connect(url) as somebody_else:
        await somebody_else.execute("LOCK TABLE history_message IN ACCESS EXCLUSIVE MODE")
        alice = await enter("alice", worker=worker)
        assert await alice.call("ping")
    assert (await alice.ask("hello")).finish_reason == "stop"


@pytest.mark.timeout(120)  # The longer it is away, the longer it may take to be noticed.
async def test_a_conversation_restores_its_history_when_the_database_is_back(
    start_worker: StartWorker,
    enter: Enter,
    model: DemoModel,
    lk_api: api.LiveKitAPI,
    room_name: str,
    tmp_path: Path,
) -> None:
    database = MissingSqlite(tmp_path)
    first = await start_worker(DATABASE_URL=database.url)
    alice = await enter("alice", worker=first)
    await alice.ask("my name is Alice")
    model.script(Reply(tokens=["a ", "story"], after=1, pause=asyncio.Event()))
    await alice.begun_answer_to(await alice.say("tell me a story"))
    left = await alice.say("and one more")
    model.script(Reply(tokens=["a ", "secret"], after=1, pause=asyncio.Event()))
    await alice.say("a secret, between us", scope="private")
    left_in_private = await alice.say("and another?", scope="private")
    await until_stored(alice, left)
    await until_stored(alice, left_in_private, thread="private:alice")
    former = alice.agent_sid
    await first.server.aclose()
    await database.begin()
    other = await start_worker(DATABASE_URL=database.url)
    await dispatch(lk_api, room_name, other.name)
    await alice.until_ready_again(former)
    assert (await alice.ask("hello?")).finish_reason == "stop"
    assert asked(model) == ["hello?"]

    await database.end()
    await until_the_database_is_back(alice)
    await alice.answer_to(left)
    await private_answer(alice, left_in_private)
    await alice.ask("what is my name?")
    assert asked(model) == [
        *("my name is Alice", "tell me a story", "hello?", "and one more"),
        "what is my name?",
    ]
    assert len(alice.finished(left)) == 1
