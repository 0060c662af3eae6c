"""Notices of tool calls, and the permission to make them."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest
from livekit import rtc

from devserver.model import DemoModel, Reply, tool_call
from tests.agent.chat_client import ChatClient
from tests.agent.conftest import Enter, StartWorker
from toolkit.context import ToolContext
from toolkit.errors import NotFound
from toolkit.permission import role
from toolkit.tool import Tool, tool
from tools import TOOLS

GO = "go"


class Gate:
    """A gate at which a tool waits for the test; the tool runs in a thread of the worker."""

    def __init__(self) -> None:
        self._open = threading.Event()

    def open(self) -> None:
        self._open.set()

    def wait(self) -> None:
        assert self._open.wait(20)


def take_steps(gate: Gate, reports: int = 1) -> Tool:
    """A tool that reports progress, then waits for the test."""

    @tool(timeout=30)
    def take_steps(context: ToolContext) -> str:
        """Take steps."""
        for step in range(1, reports + 1):
            context.progress(step / reports / 2, f"Step {step}")
        gate.wait()
        return "all taken"

    return take_steps


@tool(allow=role("admin"))
async def close_shop(context: ToolContext) -> str:
    """Close the shop."""
    return f"closed for {context.caller.identity if context.caller else 'nobody'}"


@tool(rpc=False)
async def find_nothing() -> str:
    """Find nothing."""
    raise NotFound("Nothing there")


def told_of_tools(client: ChatClient) -> list[dict[str, Any]]:
    return [
        body
        for topic, body in client.packets
        if topic == "system" and body["event"].startswith("tool.")
    ]


async def test_the_room_sees_what_a_tool_of_the_models_does(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    gate = Gate()
    worker = await start_worker(tools=[take_steps(gate)])
    alice = await enter("alice", worker=worker)
    bob = await enter("bob")
    model.script(Reply("Let me see.", tool_calls=[tool_call("takeSteps", "{}")]), Reply("Done."))
    question = await alice.say(GO)

    for client in (alice, bob):
        progress = await client.notice("tool.progress")
        assert progress["tool"] == "takeSteps"
        assert progress["inReplyTo"] == question
        assert progress["progress"] == 0.5
        assert progress["content"] == progress["text"] == "Step 1"
    await bob.until(lambda: bob.states and bob.states[-1] == "thinking")
    assert not bob.finished(question)
    gate.open()
    answer = await alice.answer_to(question)
    assert answer.text == "Let me see.\n\nDone."

    for client in (alice, bob):
        finished = await client.notice("tool.finished")
        assert finished["outcome"] == "ok"
        told = told_of_tools(client)
        assert [each["event"] for each in told] == [
            "tool.started",
            "tool.progress",
            "tool.finished",
        ]
        assert len({each["callId"] for each in told}) == 1
    await bob.until(lambda: bob.states[-1] == "listening")


async def test_the_state_says_thinking_while_a_tool_runs_and_speaking_after_it(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    gate, pause = Gate(), asyncio.Event()
    worker = await start_worker(tools=[take_steps(gate)])
    alice = await enter("alice", worker=worker)

    def state() -> str:
        assert alice.agent is not None
        return alice.agent.attributes["lk.agent.state"]

    model.script(
        Reply("Let me see.", tool_calls=[tool_call("takeSteps", "{}")]),
        Reply(tokens=["Done", "."], pause=pause, after=1),
    )
    question = await alice.say(GO)
    assert (await alice.begun_answer_to(question)).text
    await alice.notice("tool.progress")
    await alice.until(lambda: state() == "thinking")
    gate.open()
    await alice.until(lambda: state() == "speaking")
    pause.set()
    await alice.answer_to(question)
    await alice.until(lambda: state() == "listening")


async def test_a_private_call_is_reported_to_the_asker_alone(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    gate = Gate()
    worker = await start_worker(tools=[take_steps(gate)])
    alice = await enter("alice", worker=worker)
    bob = await enter("bob")
    model.script(Reply(tool_calls=[tool_call("takeSteps", "{}")]), Reply("Done."))
    await alice.send_packet({"type": "chat", "id": "m-1", "text": GO, "private": True})
    await alice.notice("tool.progress")
    gate.open()
    await alice.notice("tool.finished", inReplyTo="m-1")
    assert (await bob.ask("And me?")).finish_reason == "stop"
    assert not told_of_tools(bob)


async def test_an_rpc_caller_gets_progress_only_if_there_is_any(
    start_worker: StartWorker, enter: Enter
) -> None:
    gate = Gate()
    worker = await start_worker(tools=[*TOOLS, take_steps(gate)])
    alice = await enter("alice", worker=worker)
    bob = await enter("bob")
    await alice.call("ping")
    call = asyncio.create_task(alice.call("takeSteps", timeout=20))
    await alice.notice("tool.progress")
    gate.open()
    assert await call == "all taken"
    await alice.notice("tool.finished", tool="takeSteps", outcome="ok")
    assert [each["event"] for each in told_of_tools(alice)] == [
        "tool.started",
        "tool.progress",
        "tool.finished",
    ]
    await bob.ask("And me?")
    assert not told_of_tools(bob)


async def test_a_tool_that_reports_without_end_floods_nobody(
    start_worker: StartWorker, enter: Enter
) -> None:
    gate = Gate()
    worker = await start_worker(tools=[take_steps(gate, reports=20_000)])
    alice = await enter("alice", worker=worker)
    call = asyncio.create_task(alice.call("takeSteps", timeout=30))
    latest = await alice.notice("tool.progress", text="Step 20000")
    assert latest["progress"] == 0.5
    gate.open()
    await call
    assert len(alice.notices("tool.progress")) < 100


async def test_a_failed_call_is_reported_with_its_code(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    alice = await enter("alice", worker=await start_worker(tools=[find_nothing]))
    model.script(Reply(tool_calls=[tool_call("findNothing", "{}")]), Reply("Nothing."))
    await alice.ask(GO)
    finished = await alice.notice("tool.finished")
    assert (finished["outcome"], finished["code"]) == ("error", 404)
    assert finished["content"] == "Nothing there"


async def test_a_call_of_an_unknown_tool_is_reported_like_others(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    alice = await enter("alice", worker=await start_worker(tools=[find_nothing]))
    model.script(Reply(tool_calls=[tool_call("findAll" + "x" * 99, "{}")]), Reply("Sorry."))
    assert (await alice.ask(GO)).text == "Sorry."
    finished = await alice.notice("tool.finished")
    assert (finished["outcome"], finished["code"]) == ("error", 404)
    assert finished["tool"].startswith("findAllx")
    assert finished["content"] == f"There is no tool {finished['tool']}"
    assert [each["event"] for each in told_of_tools(alice)] == ["tool.started", "tool.finished"]
    ((_, told),) = model.requests[-1].chat.tool_results
    assert told.startswith(f"{finished['content']}. The tools are: findNothing")


async def test_an_answer_that_is_interrupted_cancels_its_call(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    @tool(timeout=30)
    async def wait_forever() -> None:
        """Wait forever."""
        await asyncio.Event().wait()

    worker = await start_worker(tools=[wait_forever], INTERRUPT_ON_MESSAGE="true")
    alice = await enter("alice", worker=worker)
    model.script(Reply(tool_calls=[tool_call("waitForever", "{}")]), Reply("Here."))
    first = await alice.say(GO)
    await alice.notice("tool.started")
    second = await alice.say("never mind")
    assert (await alice.answer_to(second)).text == "Here."
    assert (await alice.answer_to(first)).finish_reason == "interrupted"
    await alice.notice("tool.finished", outcome="cancelled", inReplyTo=first)


async def test_a_tool_for_the_model_alone_is_no_rpc_method(
    start_worker: StartWorker, enter: Enter
) -> None:
    alice = await enter("alice", worker=await start_worker(tools=[*TOOLS, find_nothing]))
    with pytest.raises(rtc.RpcError) as caught:
        await alice.call("findNothing")
    assert caught.value.code == rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD
    described = json.loads(await alice.call("describeTools"))["tools"]
    assert "findNothing" not in [each["name"] for each in described]


async def test_a_role_opens_a_tool_for_rpc_callers_and_for_the_model_that_answers_them(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(tools=[*TOOLS, close_shop])
    admin = await enter("admin", worker=worker, attributes={"role": "admin"})
    guest = await enter("guest", attributes={"role": "guest"})
    forger = await enter("forger", can_update_own_metadata=True)
    await forger.me.set_attributes({"role": "admin"})
    await admin.until(
        lambda: "role" in getattr(admin.room.remote_participants.get("forger"), "attributes", {})
    )

    assert await admin.call("closeShop") == "closed for admin"
    for client in (guest, forger):
        with pytest.raises(rtc.RpcError) as caught:
            await client.call("closeShop")
        assert (caught.value.code, caught.value.message) == (
            403,
            "This caller may not use closeShop",
        )
        await client.ask("hello")
        assert "closeShop" not in model.requests[-1].chat.offered_tools
    model.script(Reply(tool_calls=[tool_call("closeShop", "{}")]), Reply("Closed."))
    await admin.ask("Close, please")
    assert "closeShop" in model.requests[-1].chat.offered_tools
    (_, told) = model.requests[-1].chat.tool_results[-1]
    assert told == "closed for admin"


async def test_a_model_that_calls_what_it_is_not_offered_gets_nowhere(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    alice = await enter("alice", worker=await start_worker(tools=[*TOOLS, close_shop]))
    model.script(Reply(tool_calls=[tool_call("closeShop", "{}")]), Reply("I cannot."))
    answer = await alice.ask("Close, please")
    assert answer.text == "I cannot."
    assert "closed" not in json.dumps([m.text for m in model.requests[-1].chat.messages])
