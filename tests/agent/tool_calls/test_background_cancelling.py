"""The model cancels calls that go on in the background, for those who may use their tools."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

from agent import App
from devserver.model import DemoModel, Reply, tool_call
from tests.agent.app.test_unasked import unasked
from tests.agent.conftest import Enter, StartWorker
from tests.agent.tool_calls.background_reports import (
    Report,
    begun,
    results,
    start,
)
from toolkit import ToolContext, tool


async def test_the_model_cancels_a_call(
    start_worker: StartWorker, enter: Enter, model: DemoModel, report: Report
) -> None:
    alice = await enter("alice", worker=await start(start_worker, report.tool(cancellable=True)))
    call_id = await begun(alice, model)
    model.script(
        Reply(tool_calls=[tool_call("getRunningTasks")]),
        Reply(tool_calls=[tool_call("cancelTask", json.dumps({"callId": call_id}))]),
        Reply(tool_calls=[tool_call("cancelTask", json.dumps({"callId": call_id}))]),
        Reply("It is cancelled."),
    )
    assert (await alice.ask("Forget it")).text == "It is cancelled."
    *_, running, cancelled, gone = results(model)
    assert json.loads(running) == [
        {"callId": call_id, "tool": "makeReport", "arguments": {"topic": "sales"}}
    ]
    assert "is cancelled" in cancelled
    assert "No call" in gone
    assert report.cancelled == ["sales"]
    await alice.ask("Well")
    offered = cast("list[Any]", model.requests[-1].body["tools"])
    assert [each["function"]["name"] for each in offered] == ["makeReport"]
    assert not unasked(alice)


async def test_the_model_cancels_no_call_for_who_may_not_use_its_tool(
    start_worker: StartWorker, enter: Enter, model: DemoModel, report: Report
) -> None:
    moderators = {"alice", "carol"}
    made = report.tool(cancellable=True, allow=lambda caller: caller.identity in moderators)

    @tool(timeout=60, cancellable=True)
    async def dawdle(context: ToolContext) -> None:
        """Dawdle."""
        context.background()
        await asyncio.Event().wait()

    worker = await start_worker(app=App(tools=[made, dawdle]))
    alice, bob = await enter("alice", worker=worker), await enter("bob", worker=worker)
    call_id = await begun(alice, model)
    cancel = Reply(tool_calls=[tool_call("cancelTask", json.dumps({"callId": call_id}))])
    model.script(Reply(tool_calls=[tool_call("dawdle")]), Reply("I dawdle."))
    await bob.ask("Dawdle")
    offered = cast("list[Any]", model.requests[-1].body["tools"])
    assert {each["function"]["name"] for each in offered} == {"dawdle"}
    model.script(Reply(tool_calls=[tool_call("getRunningTasks")]), cancel, Reply("I cannot."))
    await bob.ask("Forget the report")
    *_, running, refused = results(model)
    assert [each["tool"] for each in json.loads(running)] == ["dawdle"]
    assert "No call" in refused
    assert report.cancelled == []
    carol = await enter("carol", worker=worker)
    model.script(cancel, Reply("It is cancelled."))
    await carol.ask("Forget the report")
    assert "is cancelled" in results(model)[-1]
    assert report.cancelled == ["sales"]
