"""A call that is made again while it goes on in the background."""

from __future__ import annotations

from typing import Any, cast

import pytest

from agent import App
from devserver.model import DemoModel, Reply, tool_call
from tests.agent.app.test_unasked import unasked
from tests.agent.conftest import Enter, StartWorker
from tests.agent.tool_calls.background_reports import (
    Report,
    begun,
    call,
    calling,
    results,
    start,
)
from toolkit import tool
from toolkit.tool import DuplicateScope


@pytest.mark.parametrize("scope", ["name", "name_and_args"])
async def test_a_duplicate_is_rejected(
    start_worker: StartWorker, enter: Enter, model: DemoModel, report: Report, scope: DuplicateScope
) -> None:
    made = report.tool(on_duplicate="reject", duplicate_scope=scope)
    alice = await enter("alice", worker=await start(start_worker, made))
    call_id = await begun(alice, model)
    model.script(call(), Reply("It is still running."), call("costs"), Reply("Well."))
    await alice.ask("And again")
    assert results(model)[-1].startswith(f"makeReport is running already: {call_id}.")
    await alice.ask("And the costs")
    assert report.begun == (["sales"] if scope == "name" else ["sales", "costs"])
    model.script(Reply("Sales are 17."), call(), Reply("It is under way."))
    report.end()
    await alice.until(lambda: unasked(alice))
    await alice.ask("Again, please")
    assert report.begun[-1] == ("sales")
    assert len(report.begun) == (2 if scope == "name" else 3)


async def test_a_duplicate_has_to_be_confirmed(
    start_worker: StartWorker, enter: Enter, model: DemoModel, report: Report
) -> None:
    alice = await enter(
        "alice", worker=await start(start_worker, report.tool(on_duplicate="confirm"))
    )
    await begun(alice, model)
    model.script(call("costs"), call("costs", confirmDuplicate=True), Reply("Both."))
    await alice.ask("And the costs")
    assert report.begun == ["sales", "costs"]
    *_, refused, started = results(model)
    assert "Call it again with confirmDuplicate true" in refused
    assert "goes on in the background" in started
    [described] = cast("list[Any]", model.requests[-1].body["tools"])
    assert "confirmDuplicate" in described["function"]["parameters"]["properties"]


async def test_a_duplicate_replaces_the_former_call(
    start_worker: StartWorker, enter: Enter, model: DemoModel, report: Report
) -> None:
    made = report.tool(on_duplicate="replace", cancellable=True)
    alice = await enter("alice", worker=await start(start_worker, made))
    call_id = await begun(alice, model)
    model.script(call("costs"), Reply("Costs, then."), Reply("Costs are 17."))
    await alice.ask("No, the costs")
    assert (report.begun, report.cancelled) == (["sales", "costs"], ["sales"])
    assert (await alice.notice("tool.finished", callId=call_id))["outcome"] == "cancelled"
    report.end("costs")
    [said] = await alice.until(lambda: unasked(alice))
    assert said.text == "Costs are 17."


async def test_only_one_of_concurrent_replacing_duplicates_runs(
    start_worker: StartWorker, enter: Enter, model: DemoModel, report: Report
) -> None:
    made = report.tool(on_duplicate="replace", cancellable=True)
    alice = await enter("alice", worker=await start(start_worker, made))
    await begun(alice, model)
    model.script(
        Reply(tool_calls=[calling("costs"), calling("profits")]),
        Reply("Well."),
        Reply("Here it is."),
    )
    await alice.ask("No, the costs, and the profits")
    [last] = set(report.begun) - set(report.cancelled)
    assert last != "sales"
    report.end(last)
    await alice.until(lambda: unasked(alice))


async def test_a_call_is_not_replaced_for_who_may_not_use_its_tool(
    start_worker: StartWorker, enter: Enter, model: DemoModel, report: Report
) -> None:
    allowed = {"alice", "bob"}

    @tool
    async def exclude() -> None:
        """Exclude bob."""
        allowed.discard("bob")

    made = report.tool(
        on_duplicate="replace", cancellable=True, allow=lambda caller: caller.identity in allowed
    )
    worker = await start_worker(app=App(tools=[made, exclude]))
    alice, bob = await enter("alice", worker=worker), await enter("bob", worker=worker)
    await begun(alice, model)
    model.script(Reply(tool_calls=[tool_call("exclude")]), call("costs"), Reply("Well."))
    await bob.ask("No, the costs")
    assert "may not cancel" in results(model)[-1]
    assert (report.begun, report.cancelled) == (["sales"], [])


async def test_a_call_that_cannot_be_cancelled_is_not_replaced(
    start_worker: StartWorker, enter: Enter, model: DemoModel, report: Report
) -> None:
    alice = await enter(
        "alice", worker=await start(start_worker, report.tool(on_duplicate="replace"))
    )
    await begun(alice, model)
    model.script(call("costs"), Reply("Wait."))
    await alice.ask("No, the costs")
    assert "cannot be cancelled" in results(model)[-1]
    assert (report.begun, report.cancelled) == (["sales"], [])
