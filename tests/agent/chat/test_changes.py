"""regenerate, editMessage and deleteMessage: the store, the model and the room follow."""

from __future__ import annotations

import asyncio
import random

import pytest
from livekit import api, rtc

from devserver.model import DemoModel, Reply
from tests.agent.chat.test_history import replace
from tests.agent.conftest import Enter, StartWorker
from tests.agent.talk import Scope, Talk

pytestmark = pytest.mark.parametrize("scope", ["room", "private"])


def paused(gate: asyncio.Event | None = None) -> Reply:
    return Reply(tokens=["first ", "answer"], after=1, pause=gate or asyncio.Event())


def read_by_model(model: DemoModel) -> list[str]:
    """The model's last request, without the instructions."""
    return [message.text for message in model.requests[-1].chat.messages][1:]


async def texts(talk: Talk) -> list[str]:
    return [text for _, text, _ in await talk.stored()]


@pytest.mark.parametrize("named_by", ["question", "answer"])
async def test_a_regenerated_answer_keeps_its_place(
    enter: Enter, model: DemoModel, scope: Scope, named_by: str
) -> None:
    alice = Talk(await enter("alice"), scope)
    model.script(*(Reply(text=text) for text in ("A1", "A2", "A3", "A2 anew", "A4")))
    await alice.ask("Q1")
    question = await alice.say("Q2")
    answer = (await alice.answered(question))["segmentId"]
    await alice.ask("Q3")
    name = question if named_by == "question" else answer
    assert await alice.call("regenerate", messageId=name) == {"messageId": question}
    ending = await alice.answered(question, times=2)
    assert (ending["segmentId"], ending["finishReason"]) == (answer, "stop")
    # Later messages do not belong to its question.
    assert read_by_model(model) == ["Q1", "A1", "Q2"]
    assert await texts(alice) == ["Q1", "A1", "Q2", "A2 anew", "Q3", "A3"]
    await alice.ask("Q4")
    assert read_by_model(model) == ["Q1", "A1", "Q2", "A2 anew", "Q3", "A3", "Q4"]


async def test_concurrent_identical_requests_are_done_once(
    enter: Enter, model: DemoModel, scope: Scope
) -> None:
    alice = Talk(await enter("alice"), scope)
    question = await alice.say("Q1")
    await alice.answered(question)
    gate = asyncio.Event()
    model.script(paused(gate))
    await asyncio.gather(*(alice.call("regenerate", messageId=question) for _ in range(5)))
    gate.set()
    await alice.answered(question, times=2)
    await alice.ask("Q2")
    assert len(model.requests) == 3
    assert len(alice.endings(question)) == 2
    assert (await texts(alice))[:2] == ["Q1", "first answer"]


async def test_a_stopped_answer_can_be_regenerated_at_once(
    enter: Enter, model: DemoModel, scope: Scope
) -> None:
    alice = Talk(await enter("alice"), scope)
    model.script(paused(), Reply(text="second answer"))
    question = await alice.say("Q1")
    await alice.begun(question)
    await asyncio.gather(
        alice.call("stopResponse", messageId=question),
        alice.call("stopResponse", messageId=question),
    )
    await alice.call("regenerate", messageId=question)
    await alice.answered(question, times=2)
    assert [each["finishReason"] for each in alice.endings(question)] == ["cancelled", "stop"]
    assert len({each["segmentId"] for each in alice.endings(question)}) == 1
    assert await texts(alice) == ["Q1", "second answer"]


async def test_an_edited_message_is_answered_again(
    enter: Enter, model: DemoModel, scope: Scope
) -> None:
    alice, bob = Talk(await enter("alice"), scope), Talk(await enter("bob"))
    model.script(*(Reply(text=text) for text in ("A1", "A2", "A1 anew", "A3")))
    question = await alice.say("Q1 secret")
    answer = (await alice.answered(question))["segmentId"]
    await alice.ask("Q2")
    edited = "Q1 \u202eedited\u202c 👩‍👩‍👧 '; DROP TABLE history_message; --"
    assert await alice.call("editMessage", messageId=question, text=edited) == {
        "messageId": question
    }
    assert (await alice.answered(question, times=2))["segmentId"] == answer
    assert read_by_model(model) == [edited]
    assert await texts(alice) == [edited, "A1 anew", "Q2", "A2"]
    notice = await alice.client.notice("message.edited")
    assert (notice["messageIds"], notice["authorId"]) == ([question], "alice")
    assert (notice["thread"], notice["newText"]) == (alice.thread, edited)
    await alice.ask("Q3")
    assert read_by_model(model) == [edited, "A1 anew", "Q2", "A2", "Q3"]
    await bob.ask("hello")
    assert len(bob.client.notices("message.edited")) == (1 if scope == "room" else 0)


async def test_an_edit_stops_the_answer_to_the_old_text(
    enter: Enter, model: DemoModel, scope: Scope
) -> None:
    alice = Talk(await enter("alice"), scope)
    model.script(paused(), Reply(text="second answer"))
    question = await alice.say("old")
    answer = await alice.begun(question)
    await alice.call("editMessage", messageId=question, text="new")
    await alice.answered(question, times=2)
    assert [each["finishReason"] for each in alice.endings(question)] == ["cancelled", "stop"]
    assert {each["segmentId"] for each in alice.endings(question)} == {answer}
    assert read_by_model(model) == ["new"]
    assert await texts(alice) == ["new", "second answer"]


async def test_a_message_that_waits_is_answered_once_with_its_new_text(
    enter: Enter, model: DemoModel, scope: Scope
) -> None:
    alice = Talk(await enter("alice"), scope)
    gate = asyncio.Event()
    model.script(paused(gate))
    first = await alice.say("Q1")
    await alice.begun(first)
    second, third = await alice.say("old"), await alice.say("Q3")
    await alice.until_stored(third)
    await alice.call("editMessage", messageId=second, text="new")
    await alice.call("regenerate", messageId=second)
    gate.set()
    await alice.answered(third)
    assert len(alice.endings(second)) == 1
    asked = [request.chat.user_text for request in model.requests]
    assert asked == ["Q1", "new", "Q3"]
    assert "old" not in await texts(alice)


async def test_a_deleted_message_is_gone_with_its_answer(
    enter: Enter, model: DemoModel, scope: Scope
) -> None:
    alice, bob = Talk(await enter("alice"), scope), Talk(await enter("bob"))
    model.script(*(Reply(text=text) for text in ("A1", "A2", "A3")))
    await alice.ask("Q1")
    question = await alice.say("Q2")
    answer = (await alice.answered(question))["segmentId"]
    assert await alice.call("deleteMessage", messageId=question) == {"deleted": [question, answer]}
    assert await texts(alice) == ["Q1", "A1"]
    await alice.ask("Q3")
    assert read_by_model(model) == ["Q1", "A1", "Q3"]
    for talk in (alice, bob) if scope == "room" else (alice,):
        for message, author in ((question, "alice"), (answer, "agent")):
            notice = await talk.client.notice("message.deleted", messageIds=[message])
            assert (notice["authorId"], notice["thread"]) == (author, alice.thread)
    if scope == "private":
        await bob.ask("hello")
        assert bob.client.notices("message.deleted") == []
    assert (await alice.refused("deleteMessage", messageId=question)).code == 404
    assert (await alice.refused("regenerate", messageId=answer)).code == 404


async def test_an_answer_is_deleted_alone_and_can_be_given_again(
    enter: Enter, model: DemoModel, scope: Scope
) -> None:
    alice = Talk(await enter("alice"), scope)
    model.script(*(Reply(text=text) for text in ("A1", "A2", "A1 again")))
    question = await alice.say("Q1")
    answer = (await alice.answered(question))["segmentId"]
    assert await alice.call("deleteMessage", messageId=answer) == {"deleted": [answer]}
    await alice.ask("Q2")
    assert read_by_model(model) == ["Q1", "Q2"]
    await alice.call("regenerate", messageId=question)
    assert (await alice.answered(question, times=2))["segmentId"] == answer
    assert await texts(alice) == ["Q1", "A1 again", "Q2", "A2"]


async def test_deleting_a_waiting_or_running_message_leaves_nothing(
    enter: Enter, model: DemoModel, scope: Scope
) -> None:
    alice = Talk(await enter("alice"), scope)
    model.script(paused())
    first = await alice.say("Q1")
    answer = await alice.begun(first)
    second = await alice.say("Q2")
    await alice.until_stored(second)
    assert await alice.call("deleteMessage", messageId=second) == {"deleted": [second]}
    assert await alice.call("deleteMessage", messageId=first) == {"deleted": [first, answer]}
    assert (await alice.answered(first))["finishReason"] == "cancelled"
    assert await alice.stored() == []
    third = await alice.ask("Q3")
    assert read_by_model(model) == ["Q3"]
    assert len(model.requests) == 2
    assert [kept[0] for kept in await alice.stored()] == [third["inReplyTo"], third["segmentId"]]


async def test_many_changes_at_once_leave_one_answer(
    enter: Enter, model: DemoModel, scope: Scope
) -> None:
    alice = Talk(await enter("alice"), scope)
    question = await alice.say("Q1")
    answer = (await alice.answered(question))["segmentId"]
    await asyncio.gather(
        *(alice.call("editMessage", messageId=question, text=f"edit {n}") for n in range(4)),
        *(alice.call("regenerate", messageId=name) for name in (question, question)),
        *(alice.call("stopResponse", messageId=question) for _ in range(3)),
    )
    await alice.ask("Q2")
    await alice.call("editMessage", messageId=question, text="the last edit")
    await alice.client.until(
        lambda: [each for each in alice.endings(question) if each["finishReason"] == "stop"][1:]
    )
    async with asyncio.timeout(20):
        while (await alice.stored())[1][2] != "stop":
            pass
    kept = await alice.stored()
    assert [each[0] for each in kept[:2]] == [question, answer]
    assert kept[0][1] == "the last edit"
    assert len(kept) == 4
    assert {each["segmentId"] for each in alice.endings(question)} == {answer}


async def change_something(talk: Talk, said: list[str], chance: random.Random) -> None:
    """Does one of the things that people do, whether or not it can be done now."""
    method = chance.choice(["say", "stopResponse", "regenerate", "editMessage", "deleteMessage"])
    if method == "say" or not said:
        said.append(await talk.say(f"question {chance.random()}"))
        return
    arguments = {"text": f"edited {chance.random()}"} if method == "editMessage" else {}
    try:
        await talk.call(method, messageId=chance.choice(said), **arguments)
    except rtc.RpcError as error:
        # Deleted, or not there yet; or there is too much to do for the machine.
        if error.code not in {404, 503, 504}:
            raise


@pytest.mark.parametrize("seed", [1, 2])
async def test_whatever_people_do_at_once_each_message_that_is_left_has_one_answer(
    enter: Enter, scope: Scope, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - reproducible
    alice, bob = Talk(await enter("alice"), scope), Talk(await enter("bob"))

    async def live(talk: Talk) -> None:
        said: list[str] = []
        for _ in range(12):
            await change_something(talk, said, chance)

    async with asyncio.timeout(50):
        await asyncio.gather(*(live(talk) for talk in (alice, alice, bob, bob)))
    # Senders take turns: when the last question of one is answered, others may still wait.
    for talk in (alice, bob):
        await talk.ask("the last question")
    for talk in (alice, bob):
        kept = await talk.history()
        questions = [each["id"] for each in kept if each["role"] == "user"]
        answers = [each["inReplyTo"] for each in kept if each["role"] == "assistant"]
        assert sorted(answers) == sorted(questions)


@pytest.mark.parametrize("change", ["editMessage", "regenerate"])
async def test_the_next_worker_gives_a_regenerated_answer(
    enter: Enter,
    start_worker: StartWorker,
    model: DemoModel,
    lk_api: api.LiveKitAPI,
    room_name: str,
    scope: Scope,
    change: str,
) -> None:
    first = await start_worker()
    alice = Talk(await enter("alice", worker=first), scope)
    model.script(*(Reply(text=text) for text in ("A1", "A2")))
    question = await alice.say("Q1")
    answer = (await alice.answered(question))["segmentId"]
    await alice.ask("Q2")
    model.script(paused())
    busy = await alice.say("Q3")
    await alice.begun(busy)
    arguments = {"text": "Q1 edited"} if change == "editMessage" else {}
    await alice.call(change, messageId=question, **arguments)
    model.script(Reply(text="A1 anew"))
    await replace(first, start_worker, room_name, lk_api)

    ending = await alice.answered(question, times=2)
    assert (ending["segmentId"], ending["finishReason"]) == (answer, "stop")
    edited = arguments.get("text", "Q1")
    assert read_by_model(model) == [edited]
    await alice.ask("Q4")
    assert read_by_model(model)[:4] == [edited, "A1 anew", "Q2", "A2"]
    assert (await alice.answered(busy))["finishReason"] == "interrupted"
    assert len(alice.endings(question)) == 2
    assert (await texts(alice))[:4] == [edited, "A1 anew", "Q2", "A2"]
