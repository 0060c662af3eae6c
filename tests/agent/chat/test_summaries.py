"""Conversations that are too long for the model: cut between turns, and summarised."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from livekit import api, rtc

from agent.history.open_history import open_history
from devserver.model import DemoModel, Reply
from devserver.model.wire import ChatRequest
from tests.agent.chat.test_remembering import RECORD, asked
from tests.agent.chat_client import ChatClient
from tests.agent.conftest import Enter, StartWorker
from tests.agent.replies.test_private import private_answer

LIKES = "They like fruit."


async def get_summary(client: ChatClient, thread: str = "room") -> dict[str, Any]:
    return json.loads(await client.call("getSummary", json.dumps({"thread": thread}), timeout=20))


def records(model: DemoModel) -> list[str]:
    """The text that the model was asked to summarise."""
    texts = [request.chat.user_text for request in model.requests]
    return [text for text in texts if RECORD in text]


def summarised(request: ChatRequest) -> Reply:
    """A summary that has the one before in it."""
    before, _, record = request.user_text.partition(RECORD)
    return Reply(text=f"[{before.strip()}] and {record.count('alice')} of hers")


async def test_dropped_turns_are_summarised_and_restored(
    start_worker: StartWorker,
    enter: Enter,
    model: DemoModel,
    lk_api: api.LiveKitAPI,
    room_name: str,
) -> None:
    model.when(RECORD, Reply(text=LIKES))
    first = await start_worker(MAX_CONTEXT_MESSAGES="8")
    alice = await enter("alice", worker=first)
    for number in range(5):
        await alice.ask(f"question {number}")
    await get_summary(alice)
    await alice.ask("question 5")
    summary, *texts = asked(model)
    assert LIKES in summary
    assert texts == ["question 2", "question 3", "question 4", "question 5"]
    assert "alice: question 0" in records(model)[0]
    page = json.loads(await alice.call("getHistory"))
    assert len(page["messages"]) == 12

    former = alice.agent_sid
    await first.server.aclose()
    history = open_history(first.settings.database_url)
    used = await history.accounts.usage(since="2020-01-01", until="9999-12-31")
    await history.aclose()
    # Summaries are nobody's in particular.
    nobody, hers = (each for _, each in used)
    assert (nobody.answers, hers.answers) == (0, 6)
    assert nobody.requests == len(records(model))
    assert nobody.input_tokens > 0
    other = await start_worker(DATABASE_URL=first.settings.database_url, MAX_CONTEXT_MESSAGES="8")
    await lk_api.agent_dispatch.create_dispatch(
        api.CreateAgentDispatchRequest(agent_name=other.name, room=room_name)
    )
    await alice.until_ready_again(former)
    await alice.ask("and now?")
    summary, *texts = asked(model)
    assert LIKES in summary
    # Six items are restored at most: three whole turns.
    assert texts == ["question 3", "question 4", "question 5", "and now?"]


async def test_a_context_is_cut_by_its_length_too(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    model.when(RECORD, Reply(text=LIKES))
    alice = await enter("alice", worker=await start_worker(MAX_CONTEXT_TOKENS="2000"))
    for number in range(6):
        await alice.ask(f"question {number}: {'word ' * 400}")
    await get_summary(alice)
    await alice.ask("and now?")
    summary, *texts = asked(model)
    assert LIKES in summary
    assert len(texts) < 4
    assert texts[-2].startswith("question 5")
    assert sum(len(m.text) for m in model.requests[-1].chat.messages) < 4 * 2_000


async def test_a_summary_that_fails_stops_nothing(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    model.when(RECORD, Reply(status=500))
    alice = await enter("alice", worker=await start_worker(MAX_CONTEXT_MESSAGES="4"))
    for number in range(6):
        assert (await alice.ask(f"question {number}")).finish_reason == "stop"
    assert records(model)
    with pytest.raises(rtc.RpcError) as caught:
        await get_summary(alice)
    assert caught.value.code == 503
    assert json.loads(caught.value.data or "")["retryAfter"] > 0


async def test_a_summary_is_up_to_date_when_asked_for(enter: Enter, model: DemoModel) -> None:
    model.when(RECORD, summarised)
    alice, bob = await enter("alice"), await enter("bob")
    assert await get_summary(alice) == {"thread": "room", "summary": ""}
    answer = await alice.ask("one")
    first = await get_summary(bob)
    assert first == {
        "thread": "room",
        "summary": "[] and 1 of hers",
        "upTo": answer.attributes["lk.segment_id"],
        "upToSenderId": "agent",
    }
    assert await get_summary(alice) == first
    assert len(records(model)) == 1
    await alice.ask("two")
    again = await get_summary(alice)
    assert again["summary"].startswith("[The summary so far:\n[] and 1 of hers] and 1")
    assert "one" not in records(model)[-1]


async def test_no_summary_mentions_deleted_messages(enter: Enter, model: DemoModel) -> None:
    model.when(RECORD, summarised)
    alice = await enter("alice")
    secret = await alice.ask("the word is Rosebud")
    await alice.ask("anything else?")
    await get_summary(alice)
    await alice.call("deleteMessage", json.dumps({"messageId": secret.in_reply_to}))
    assert (await get_summary(alice))["summary"] == "[] and 1 of hers"
    assert "Rosebud" not in records(model)[-1]


async def test_a_private_summary_is_its_owners_and_tells_nothing_else(
    enter: Enter, model: DemoModel
) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    await bob.ask("hello everybody")
    await private_answer(alice, await alice.say("the word is Rosebud", scope="private"))
    model.when(RECORD, Reply(text="She has a word."))
    private = await get_summary(alice, "private:alice")
    assert (private["thread"], private["summary"]) == ("private:alice", "She has a word.")
    assert "everybody" not in records(model)[-1]
    await get_summary(alice)
    assert "Rosebud" not in records(model)[-1]
    for thread, code in {"private:alice": 404, "nowhere": 400}.items():
        with pytest.raises(rtc.RpcError) as caught:
            await get_summary(bob, thread)
        assert caught.value.code == code


async def test_a_summary_is_finished_for_the_next_caller(enter: Enter, model: DemoModel) -> None:
    alice = await enter("alice")
    await alice.ask("one")
    going_on = asyncio.Event()
    model.when(RECORD, Reply(tokens=["They ", "talk."], after=1, pause=going_on))
    with pytest.raises(rtc.RpcError) as caught:
        await alice.call("getSummary", timeout=8.5)
    assert caught.value.code in {504, int(rtc.RpcError.ErrorCode.RESPONSE_TIMEOUT)}
    going_on.set()
    assert (await get_summary(alice))["summary"] == "They talk."
    assert len(records(model)) == 1
