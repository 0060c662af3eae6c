"""Nobody holds up others: senders take turns, and an answer has a time limit."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from livekit import rtc

from agent.tool_calls.method_list import ATTRIBUTE
from devserver.model import DemoModel, Reply, tool_call
from tests.agent.chat_client import WITHIN, ChatClient
from tests.agent.conftest import Enter, StartWorker
from tests.agent.talk import Scope, Talk
from toolkit.tool import Tool, tool
from tools import TOOLS

TOO_LONG = "The answer took too long and was given up. Please try again."
ENDS_HERE = "(The answer took too long and ends here.)"

HANG: dict[str, Any] = {
    "name": "hang",
    "description": "Never answers.",
    "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
}
OFFER = {ATTRIBUTE: json.dumps([HANG])}


class HangingMethod:
    """A client method that never answers."""

    def __init__(self, client: ChatClient, name: str = "hang") -> None:
        self.calls = 0
        self.called = asyncio.Event()
        client.me.register_rpc_method(name, self._hang)

    async def _hang(self, _: rtc.RpcInvocationData) -> str:
        self.calls += 1
        self.called.set()
        await asyncio.Event().wait()
        return ""


def never() -> Reply:
    return Reply(tokens=["never"], after=0, pause=asyncio.Event())


def call_hang() -> Reply:
    return Reply(tool_calls=[tool_call("hang", "{}")])


def asked(model: DemoModel) -> list[str]:
    """The question in each request, without the author in front."""
    return [request.chat.messages[-1].text.split(": ")[-1] for request in model.requests]


async def test_a_question_waits_for_one_answer_to_each_other_sender(
    enter: Enter, model: DemoModel
) -> None:
    mallory = await enter("mallory")
    bob = await enter("bob")
    gate = asyncio.Event()
    model.script(Reply(tokens=["one"], after=0, pause=gate), *[Reply("And so on.")] * 4)
    waiting: list[str] = []
    for text in ("m1", "m2", "m3"):
        waiting.append(await mallory.say(text))
        await Talk(mallory).until_stored(waiting[-1])
    for text in ("b1", "b2"):
        waiting.append(await bob.say(text))
        await Talk(bob).until_stored(waiting[-1])
    gate.set()
    for message in waiting:
        assert (await bob.answer_to(message)).finish_reason == "stop"
    assert asked(model) == ["m1", "b1", "m2", "b2", "m3"]


async def test_a_method_that_never_answers_delays_others_by_one_time_limit(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(ANSWER_TIMEOUT="1", CLIENT_METHOD_TIMEOUT="300")
    mallory = await enter("mallory", worker=worker, attributes=OFFER)
    bob = await enter("bob")
    method = HangingMethod(mallory)
    model.script(call_hang(), Reply("Hello Bob."), call_hang(), call_hang())
    hanging = [await mallory.say(f"m{number}") for number in range(3)]
    async with asyncio.timeout(WITHIN):
        await method.called.wait()
    greeting = await bob.say("hello")
    assert (await bob.answer_to(greeting)).text == "Hello Bob."
    ends = [await bob.answer_to(message) for message in hanging]
    assert [(end.text, end.finish_reason) for end in ends] == [(TOO_LONG, "error")] * 3
    assert method.calls == 3
    cancelled = [each["outcome"] for each in bob.notices("tool.finished", tool="hang")]
    assert cancelled == ["cancelled"] * 3
    answered = [each["inReplyTo"] for each in bob.notices("answer.finished")]
    assert answered[:2] == [hanging[0], greeting]


@pytest.mark.parametrize("scope", ["room", "private"])
async def test_text_within_the_time_limit_stays(
    start_worker: StartWorker, enter: Enter, model: DemoModel, scope: Scope
) -> None:
    worker = await start_worker(ANSWER_TIMEOUT="1")
    alice = Talk(await enter("alice", worker=worker), scope)
    model.script(Reply(tokens=["once ", "upon a time"], after=1, pause=asyncio.Event()))
    question = await alice.say("tell me a story")
    assert (await alice.answered(question))["finishReason"] == "error"
    text = f"once \n\n{ENDS_HERE}"
    assert [kept[1:] for kept in await alice.stored()] == [
        ("tell me a story", None),
        (text, "error"),
    ]
    assert (await alice.ask("and now?"))["finishReason"] == "stop"
    texts = [message.text for message in model.requests[-1].chat.messages]
    assert texts[1:] == ["tell me a story", "once ", "and now?"]


async def test_waiting_for_approval_counts(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    @tool(needs_approval=True)
    async def pay() -> str:
        """Pay."""
        raise AssertionError("nobody agreed")

    tools: list[Tool] = [*TOOLS, pay]
    worker = await start_worker(tools=tools, ANSWER_TIMEOUT="1", APPROVAL_TIMEOUT="300")
    mallory = await enter("mallory", worker=worker)
    bob = await enter("bob")
    approval = HangingMethod(mallory, "approveTool")
    model.script(Reply(tool_calls=[tool_call("pay", "{}")]))
    question = await mallory.say("pay")
    assert (await bob.answer_to(question)).text == TOO_LONG
    assert approval.calls == 1
    assert (await bob.ask("hello")).finish_reason == "stop"


async def test_an_answer_that_was_stopped_in_time_is_no_error(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(ANSWER_TIMEOUT="60")
    alice = Talk(await enter("alice", worker=worker))
    model.script(never())
    question = await alice.say("think about it")
    await alice.client.until(lambda: "thinking" in alice.client.states)
    assert await alice.call("stopResponse") == {"stopped": [question]}
    assert (await alice.answered(question))["finishReason"] == "cancelled"


async def test_no_time_limit_where_it_is_off(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(ANSWER_TIMEOUT="0")
    alice = await enter("alice", worker=worker)
    model.script(Reply("Hello."))
    assert (await alice.ask("hello")).text == "Hello."
