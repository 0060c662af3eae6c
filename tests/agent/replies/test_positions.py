"""Clients that sort by position show one order: live, after joining late, from the history."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import Any

import pytest
from livekit import rtc

from devserver.model import DemoModel, Reply, tool_call
from tests.agent.chat_client import REPLY_TOPICS, WITHIN, ChatClient
from tests.agent.conftest import Enter, StartWorker, Worker
from tests.agent.database_return import until_the_database_is_back
from tests.agent.outages import MissingSqlite
from tests.agent.talk import Scope, Talk
from tests.postgres import PostgresServer


@pytest.fixture(params=["sqlite", "postgres"])
async def worker(
    request: pytest.FixtureRequest, start_worker: StartWorker, tmp_path: Path
) -> Worker:
    """A worker on an empty database."""
    url = f"sqlite:///{tmp_path}/positions.db"
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.create_database(f"test_{uuid.uuid4().hex[:12]}")
    return await start_worker(DATABASE_URL=url)


def streamed(client: ChatClient) -> dict[str, set[int]]:
    """The positions that the streams of each answer gave it, by its id."""
    found: dict[str, set[int]] = {}
    for each in client.answers:
        positions = found.setdefault(each.attributes["lk.segment_id"], set())
        positions.add(int(each.attributes["position"]))
    return found


def in_notices(client: ChatClient) -> dict[str, set[int]]:
    """The positions that `answer.finished` gave each answer, by its id."""
    found: dict[str, set[int]] = {}
    for each in client.notices("answer.finished"):
        found.setdefault(each["segmentId"], set()).add(each["position"])
    return found


def answers_of(history: list[dict[str, Any]]) -> dict[str, set[int]]:
    """The positions of the answers in a page, by their ids."""
    return {each["id"]: {each["position"]} for each in history if each["role"] == "assistant"}


async def test_live_late_and_stored_have_one_order_after_edits_and_regenerates(
    enter: Enter, worker: Worker, model: DemoModel
) -> None:
    alice = Talk(await enter("alice", worker=worker))
    bob = Talk(await enter("bob", worker=worker))
    gate = asyncio.Event()
    model.script(Reply(tokens=["A", "1"], after=1, pause=gate), Reply(text="B1"))
    questions = [await alice.say("Q1")]
    await alice.begun(questions[0])
    # Stored before the answer that comes before it.
    questions.append(await bob.say("Q2"))
    await bob.until_stored(questions[1])
    gate.set()
    for question in questions:
        await alice.answered(question)
    questions.append(await alice.say("Q3"))
    await alice.answered(questions[2])
    before = {each["id"]: each["position"] for each in await alice.history()}

    assert await alice.call("editMessage", messageId=questions[0], text="Q1 edited")
    await alice.answered(questions[0], times=2)
    assert await bob.call("regenerate", messageId=questions[1])
    await alice.answered(questions[1], times=2)
    gate.clear()
    model.script(Reply(tokens=["A", "3 anew"], after=1, pause=gate))
    assert await alice.call("regenerate", messageId=questions[2])
    await alice.client.until(
        lambda: [
            each
            for each in alice.client.answers_to(questions[2], REPLY_TOPICS[0])
            if each.text == "A"
        ]
    )
    late = Talk(await enter("late", worker=worker))
    await late.begun(questions[2])
    gate.set()
    await late.answered(questions[2])
    await alice.answered(questions[2], times=2)

    page = await late.history()
    assert {each["id"]: each["position"] for each in page} == before
    assert [each["text"] for each in page[:3:2]] == ["Q1 edited", "Q2"]
    assert [each["position"] for each in page] == sorted(before.values())
    for question, answer in zip(page[::2], page[1::2], strict=True):
        assert answer["inReplyTo"] == question["id"]
        assert answer["position"] == question["position"] + 1
    assert streamed(alice.client) == in_notices(alice.client) == answers_of(page)
    last = page[-1]
    assert streamed(late.client)[last["id"]] == {last["position"]}
    assert in_notices(late.client)[last["id"]] == {last["position"]}
    edited = await alice.client.notice("message.edited")
    assert edited["position"] == before[questions[0]]


@pytest.mark.parametrize("scope", ["room", "private"])
async def test_every_way_out_of_an_answer_has_its_position(
    enter: Enter, model: DemoModel, scope: Scope
) -> None:
    alice = Talk(await enter("alice"), scope)
    model.script(Reply(tool_calls=[tool_call("getCurrentTime", "{}")]), Reply(text="noon"))
    packet = {
        "type": "chat",
        "id": "q-1",
        "text": "what time is it?",
        "private": scope == "private",
    }
    await alice.client.send_packet(packet)
    await alice.answered("q-1")
    question, answer = await alice.history()
    given = [
        body["position"]
        for topic, body in alice.client.packets
        if body.get("inReplyTo") == "q-1" and topic != "rpc"
    ]
    events = {body.get("event") or body["type"] for _, body in alice.client.packets}
    expected = {"tool.started", "tool.finished", "answer.finished", "chat"}
    assert events >= (expected if scope == "room" else {*expected, "delta"})
    assert set(given) == {answer["position"]} == {question["position"] + 1}
    assert streamed(alice.client) == {answer["id"]: {answer["position"]}}

    reaction = {"topic": "reactions", "payload": {"emoji": "👍", "targetMessageId": answer["id"]}}
    await alice.client.send_packet(reaction)
    changed = await alice.client.notice("reactions.changed")
    assert changed["position"] == answer["position"]
    await alice.call("deleteMessage", messageId="q-1")
    deleted = await alice.client.until(
        lambda: found if len(found := alice.client.notices("message.deleted")) == 2 else []
    )
    assert {each["messageIds"][0]: each["position"] for each in deleted} == {
        each["id"]: each["position"] for each in (question, answer)
    }


async def test_an_answer_has_its_position_once_the_database_is_back(
    start_worker: StartWorker, enter: Enter, tmp_path: Path
) -> None:
    outage = MissingSqlite(tmp_path)
    (tmp_path / "data").mkdir()
    await outage.begin()
    alice = Talk(await enter("alice", worker=await start_worker(DATABASE_URL=outage.url)))
    question = await alice.say("hello")
    assert "position" not in await alice.answered(question)
    assert "position" not in alice.client.finished(question)[0].attributes
    await outage.end()
    await until_the_database_is_back(alice.client)
    _, answer = await alice.history()
    await alice.call("regenerate", messageId=question)
    assert (await alice.answered(question, times=2))["position"] == answer["position"]
    again = alice.client.finished(question)[1]
    assert again.attributes["position"] == str(answer["position"])


async def test_the_stream_with_an_edited_text_has_the_position_of_the_message(enter: Enter) -> None:
    reader = ChatClient()
    shown: list[int] = []

    def on_chat(stream: rtc.TextStreamReader, _sender: str) -> None:
        position = (stream.info.attributes or {}).get("position")
        if position is not None:
            shown.append(int(position))

    reader.room.register_text_stream_handler("lk.chat", on_chat)
    alice = Talk(await enter("alice"))
    await enter("bob", client=reader)
    question = await alice.say("Q")
    answer = await alice.answered(question)
    # Only those get it whom the server has announced to the agent, which may take seconds.
    async with asyncio.timeout(WITHIN):
        while not shown:
            answers = len(alice.endings(question))
            await alice.call("editMessage", messageId=question, text="Q edited")
            await alice.answered(question, times=answers + 1)
    assert set(shown) == {answer["position"] - 1}
