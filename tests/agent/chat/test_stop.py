"""stopResponse: an answer ends with its text so far, in the room and in private."""

from __future__ import annotations

import asyncio

import pytest

from devserver.model import DemoModel, Reply, tool_call
from tests.agent.conftest import Enter
from tests.agent.talk import Scope, Talk

pytestmark = pytest.mark.parametrize("scope", ["room", "private"])


def story(gate: asyncio.Event | None = None) -> Reply:
    """Says `once `, and the rest when it may."""
    return Reply(tokens=["once ", "upon a time"], after=1, pause=gate or asyncio.Event())


@pytest.mark.parametrize("named_by", ["question", "answer", "nothing"])
async def test_the_text_so_far_is_the_answer(
    enter: Enter, model: DemoModel, scope: Scope, named_by: str
) -> None:
    alice = Talk(await enter("alice"), scope)
    model.script(story())
    question = await alice.say("tell me a story")
    answer = await alice.begun(question)
    names: dict[str, dict[str, object]] = {
        "question": {"messageId": question},
        "answer": {"messageId": answer},
        "nothing": {},
    }
    assert await alice.call("stopResponse", **names[named_by]) == {"stopped": [question]}

    ending = await alice.answered(question)
    assert (ending["finishReason"], ending["segmentId"]) == ("cancelled", answer)
    kept = [(question, "tell me a story", None), (answer, "once ", "cancelled")]
    assert await alice.stored() == kept
    await alice.ask("and now?")
    texts = [message.text for message in model.requests[-1].chat.messages]
    assert texts[1:] == ["tell me a story", "once ", "and now?"]
    # Stopping what has ended is no error, and changes nothing.
    assert await alice.call("stopResponse", messageId=question) == {"stopped": []}
    assert await alice.call("stopResponse", messageId=answer) == {"stopped": []}
    assert await alice.call("stopResponse") == {"stopped": []}
    assert (await alice.stored())[:2] == kept
    assert len(alice.endings(question)) == 1


async def test_a_model_that_thinks_is_stopped(enter: Enter, model: DemoModel, scope: Scope) -> None:
    alice = Talk(await enter("alice"), scope)
    model.script(Reply(tokens=["never"], after=0, pause=asyncio.Event()))
    question = await alice.say("think about it")
    await alice.client.until(lambda: "thinking" in alice.client.states)
    assert await alice.call("stopResponse") == {"stopped": [question]}
    assert (await alice.answered(question))["finishReason"] == "cancelled"
    assert [kept[1:] for kept in await alice.stored()] == [
        ("think about it", None),
        ("", "cancelled"),
    ]
    assert (await alice.ask("and now?"))["finishReason"] == "stop"
    texts = [message.text for message in model.requests[-1].chat.messages]
    assert texts[1:] == ["think about it", "and now?"]


async def test_a_question_that_waits_is_stopped_before_it_is_asked(
    enter: Enter, model: DemoModel, scope: Scope
) -> None:
    alice = Talk(await enter("alice"), scope)
    gate = asyncio.Event()
    model.script(story(gate))
    first = await alice.say("tell me a story")
    await alice.begun(first)
    second = await alice.say("and one more")
    await alice.until_stored(second)
    assert await alice.call("stopResponse", messageId=second) == {"stopped": [second]}
    ending = await alice.answered(second)
    assert ending["finishReason"] == "cancelled"
    assert alice.endings(first) == []
    gate.set()
    assert (await alice.answered(first))["finishReason"] == "stop"
    await alice.ask("and now?")
    assert [m.text for m in model.requests[-1].chat.messages][1:] == [
        "tell me a story",
        "once upon a time",
        "and one more",
        "and now?",
    ]
    assert len(model.requests) == 2
    assert (ending["segmentId"], "", "cancelled") in await alice.stored()


async def test_without_an_id_what_waits_is_answered_next(
    enter: Enter, model: DemoModel, scope: Scope
) -> None:
    alice = Talk(await enter("alice"), scope)
    model.script(story())
    first = await alice.say("tell me a story")
    await alice.begun(first)
    second = await alice.say("and one more")
    await alice.until_stored(second)
    assert await alice.call("stopResponse") == {"stopped": [first]}
    assert (await alice.answered(second))["finishReason"] == "stop"


async def test_an_answer_that_ends_in_the_same_moment_is_either_whole_or_stopped(
    enter: Enter, model: DemoModel, scope: Scope
) -> None:
    alice = Talk(await enter("alice"), scope)
    for _ in range(10):
        gate = asyncio.Event()
        model.script(story(gate))
        question = await alice.say("tell me a story")
        await alice.begun(question)
        gate.set()
        stopped = (await alice.call("stopResponse", messageId=question))["stopped"]
        ending = await alice.answered(question)
        _, text, reason = (await alice.stored())[-1]
        if stopped:
            assert (stopped, reason) == ([question], "cancelled")
        else:
            assert (text, reason) == ("once upon a time", "stop")
        assert ending["finishReason"] == reason
        assert len(alice.endings(question)) == 1


async def test_an_answer_with_tool_calls_is_stopped_between_its_steps(
    enter: Enter, model: DemoModel, scope: Scope
) -> None:
    alice = Talk(await enter("alice"), scope)
    model.script(
        Reply(tool_calls=[tool_call("ping")]),
        Reply(tokens=["pong"], after=0, pause=asyncio.Event()),
    )
    question = await alice.say("ping, please")
    async with asyncio.timeout(20):
        await model.requests.reach(2)
    assert await alice.call("stopResponse") == {"stopped": [question]}
    assert (await alice.answered(question))["finishReason"] == "cancelled"
    assert (await alice.ask("and now?"))["finishReason"] == "stop"


async def test_answers_to_others_are_not_stopped(
    enter: Enter, model: DemoModel, scope: Scope
) -> None:
    alice, bob = Talk(await enter("alice"), scope), Talk(await enter("bob"))
    gate = asyncio.Event()
    model.script(story(gate))
    question = await alice.say("tell me a story")
    answer = await alice.begun(question)
    # Private messages of others are not there.
    code = 403 if scope == "room" else 404
    assert (await bob.refused("stopResponse", messageId=question)).code == code
    assert (await bob.refused("stopResponse", messageId=answer)).code == code
    assert (await bob.refused("stopResponse", messageId="unknown")).code == 404
    assert await bob.call("stopResponse") == {"stopped": []}
    gate.set()
    assert (await alice.answered(question))["finishReason"] == "stop"
