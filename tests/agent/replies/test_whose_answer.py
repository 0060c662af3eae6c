"""Answers name whom they answer: somebody else may use a message's id."""

from __future__ import annotations

import json
from typing import Any

import pytest

from devserver.model import DemoModel, Reply, tool_call
from tests.agent.chat_client import REPLY_TOPICS, ChatClient, announced
from tests.agent.conftest import Enter, StartWorker
from toolkit.file import File
from toolkit.tool import tool


@tool
def make_note() -> File:
    """Make a note."""
    return File("note.txt", "noted")


async def ask_by_packet(client: ChatClient, text: str, *, private: bool = False) -> None:
    question = {"type": "chat", "id": "m-1", "text": text, "private": private}
    await client.me.publish_data(json.dumps(question))


def texts_by_sender(client: ChatClient, topic: str) -> dict[str, str]:
    answers = client.finished("m-1", topic)
    return {each.attributes["in_reply_to_sender"]: each.text for each in answers}


def named(client: ChatClient, topic: str, **expected: object) -> set[tuple[Any, Any]]:
    """The messages that packets of a topic name."""
    return {
        (body.get("inReplyTo"), body.get("inReplyToSenderId"))
        for at, body in client.packets
        if at == topic and all(body.get(key) == value for key, value in expected.items())
    }


async def test_two_people_with_one_message_id_each_find_their_own_answer(
    enter: Enter, start_worker: StartWorker, model: DemoModel
) -> None:
    model.script(
        Reply(tool_calls=[tool_call("makeNote", "{}")]),
        Reply(text="For Alice."),
        Reply(tool_calls=[tool_call("makeNote", "{}")]),
        Reply(text="For Mallory."),
    )
    alice = await enter("alice", worker=await start_worker(tools=[make_note]))
    mallory = await enter("mallory")
    await announced(alice, mallory)
    await ask_by_packet(alice, "What time is it?")
    await alice.notice("answer.finished", inReplyTo="m-1", inReplyToSenderId="alice")
    await ask_by_packet(mallory, "What time is it?")
    await alice.notice("answer.finished", inReplyTo="m-1", inReplyToSenderId="mallory")

    both = {("m-1", "alice"), ("m-1", "mallory")}
    for topic in REPLY_TOPICS:
        await alice.until(lambda topic=topic: len(alice.finished("m-1", topic)) == 2)
        assert texts_by_sender(alice, topic) == {"alice": "For Alice.", "mallory": "For Mallory."}
    await alice.until(lambda: named(alice, "", senderId="agent") == both)
    for event in ("answer.finished", "tool.started", "tool.finished"):
        assert named(alice, "system", event=event) == both
    said = json.loads(await alice.call("getHistory"))["messages"]
    assert {each["inReplyToSenderId"]: each["text"] for each in said if "inReplyTo" in each} == {
        "alice": "For Alice.",
        "mallory": "For Mallory.",
    }


@pytest.mark.parametrize("form", ["packets", "snapshots"])
async def test_a_private_answer_does_so_too(enter: Enter, model: DemoModel, form: str) -> None:
    model.script(Reply(text="Between us."))
    alice = await enter("alice")
    await ask_by_packet(alice, "What time is it?", private=True)
    await alice.notice("answer.finished", inReplyTo="m-1", inReplyToSenderId="alice")
    if form == "packets":
        assert named(alice, "llm-response", type="delta") == {("m-1", "alice")}
    else:
        answer = await alice.answer_to("m-1")
        assert answer.attributes["in_reply_to_sender"] == "alice"
