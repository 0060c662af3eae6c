"""Calls that go on in the background while the model answers."""

from __future__ import annotations

import asyncio
import json
import threading

from livekit import api, rtc
from livekit.agents import Agent

from agent import App
from agent.tool_calls.background_calls import MAX_CALLS
from devserver.model import DemoModel, Reply, tool_call
from tests.agent.app.test_unasked import unasked
from tests.agent.chat_client import WITHIN
from tests.agent.conftest import Enter, StartWorker
from tests.agent.tool_calls.background_reports import (
    Report,
    begun,
    call,
    calling,
    read,
    results,
    start,
)
from toolkit import ToolContext, tool


async def test_the_model_answers_at_once_and_tells_the_result_later(
    start_worker: StartWorker, enter: Enter, model: DemoModel, report: Report
) -> None:
    worker = await start(start_worker, report.tool(show="all"))
    alice, bob = await enter("alice", worker=worker), await enter("bob", worker=worker)
    await alice.until_sees(bob)
    call_id = await begun(alice, model)
    [started] = results(model)
    assert f"in the background as {call_id} (takes minutes)" in started
    progress = await bob.notice("tool.progress", callId=call_id)
    assert (progress["progress"], progress["content"]) == (0.5, "half of it")
    # The conversation goes on meanwhile.
    assert (await alice.ask("What is 1 + 1?")).finish_reason == "stop"
    model.script(Reply("Sales are 17."))
    report.end()
    for person in (alice, bob):
        [said] = await person.until(lambda person=person: unasked(person))
        assert said.text == "Sales are 17."
        assert "in_reply_to" not in said.attributes
        assert (await person.notice("tool.finished", callId=call_id))["outcome"] == "ok"
    assert any("17 of sales" in each and call_id in each for each in read(model))
    [*_, stored] = json.loads(await alice.call("getHistory"))["messages"]
    assert (stored["text"], "inReplyTo" in stored) == ("Sales are 17.", False)
    assert [(each["type"], each["value"]) for each in stored["parts"]] == [("data", "17 of sales")]
    # The result stays in the context.
    await alice.ask("How many?")
    assert any("17 of sales" in each for each in read(model))


async def test_a_private_result_stays_private(
    start_worker: StartWorker, enter: Enter, model: DemoModel, report: Report
) -> None:
    worker = await start(start_worker, report.tool())
    alice, bob = await enter("alice", worker=worker), await enter("bob", worker=worker)
    await alice.until_sees(bob)
    model.script(call(), Reply("It is under way."), Reply("Sales are 17."))
    message = await alice.say("A report, please", scope="private")
    await alice.notice("answer.finished", inReplyTo=message)
    report.end()
    await alice.until(lambda: alice.received("Sales are 17."))
    await bob.ask("Hello")
    assert not bob.received("Sales are 17.")
    assert not any("17 of sales" in each for each in read(model))
    thread = json.loads(await alice.ask_method("getHistory", '{"thread": "private:alice"}'))
    assert thread["messages"][-1]["text"] == "Sales are 17."


async def test_a_livekit_agent_tells_the_result(
    start_worker: StartWorker, enter: Enter, model: DemoModel, report: Report
) -> None:
    class Desk(Agent):
        def __init__(self) -> None:
            super().__init__(instructions="You are the desk.")

    worker = await start_worker(app=App({"desk": Desk}, tools=[report.tool()]))
    alice = await enter("alice", worker=worker)
    await begun(alice, model)
    model.script(Reply("Sales are 17."))
    report.end()
    [said] = await alice.until(lambda: unasked(alice))
    assert said.text == "Sales are 17."
    assert any("17 of sales" in each for each in read(model))


async def test_a_failure_is_reported(
    start_worker: StartWorker, enter: Enter, model: DemoModel, report: Report
) -> None:
    alice = await enter("alice", worker=await start(start_worker, report.tool()))
    model.script(call("nothing"), Reply("It is under way."), Reply("There is none."))
    await alice.ask("A report, please")
    report.end("nothing")
    [said] = await alice.until(lambda: unasked(alice))
    assert said.text == "There is none."
    assert any("failed:\nThere is nothing to report" in each for each in read(model))


async def test_stopping_the_answer_does_not_stop_the_call(
    start_worker: StartWorker, enter: Enter, model: DemoModel, report: Report
) -> None:
    alice = await enter("alice", worker=await start(start_worker, report.tool()))
    model.script(call(), Reply(tokens=["It ", "is"], after=1, pause=asyncio.Event()))
    message = await alice.say("A report, please")
    await alice.begun_answer_to(message)
    await alice.call("stopResponse")
    await alice.answer_to(message)
    model.script(Reply("Sales are 17."))
    report.end()
    [said] = await alice.until(lambda: unasked(alice))
    assert (said.text, report.cancelled) == ("Sales are 17.", [])


async def test_an_rpc_caller_waits_for_the_result(
    start_worker: StartWorker, enter: Enter, report: Report
) -> None:
    alice = await enter("alice", worker=await start(start_worker, report.tool()))
    calling = asyncio.create_task(alice.call("makeReport"))
    await alice.notice("tool.progress")
    report.end()
    assert await calling == "17 of sales"
    assert not unasked(alice)


async def test_there_is_a_bound_beyond_which_the_model_waits(
    start_worker: StartWorker, enter: Enter, model: DemoModel, report: Report
) -> None:
    alice = await enter("alice", worker=await start(start_worker, report.tool()))
    topics = [f"topic {number}" for number in range(MAX_CALLS + 1)]
    model.script(
        Reply(tool_calls=[calling(each) for each in topics]),
        Reply("All but one are under way."),
    )
    message = await alice.say("Reports, please")
    await alice.until(lambda: len(alice.notices("tool.progress")) > MAX_CALLS)
    assert not alice.finished(message)
    report.end(topics[-1])
    assert (await alice.answer_to(message)).text == "All but one are under way."
    assert results(model)[-1] == f"17 of {topics[-1]}"


async def test_calls_end_with_the_stay(
    start_worker: StartWorker,
    enter: Enter,
    model: DemoModel,
    report: Report,
    lk_api: api.LiveKitAPI,
) -> None:
    worker = await start(start_worker, report.tool())
    alice = await enter("alice", worker=worker)
    await begun(alice, model)
    await lk_api.room.delete_room(api.DeleteRoomRequest(room=alice.room.name))
    await worker.host.until_left()
    assert report.cancelled == ["sales"]


async def test_none_goes_on_in_the_background_once_the_stay_ends(
    start_worker: StartWorker,
    enter: Enter,
    model: DemoModel,
    lk_api: api.LiveKitAPI,
) -> None:
    began, ends, detached, cancelled = (asyncio.Event() for _ in range(4))
    loop = asyncio.get_running_loop()

    @tool(timeout=60)
    async def linger(context: ToolContext) -> None:
        """Linger."""
        context.background()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            loop.call_soon_threadsafe(ends.set)
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(detached.wait(), loop))
            raise

    @tool(timeout=60)
    async def hurry(context: ToolContext) -> None:
        """Hurry."""
        loop.call_soon_threadsafe(began.set)
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(ends.wait(), loop))
        context.background()
        loop.call_soon_threadsafe(detached.set)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            loop.call_soon_threadsafe(cancelled.set)
            raise

    worker = await start_worker(app=App(tools=[linger, hurry]))
    alice = await enter("alice", worker=worker)
    model.script(
        Reply(tool_calls=[tool_call("linger")]),
        Reply("It lingers."),
        Reply(tool_calls=[tool_call("hurry")]),
    )
    assert (await alice.ask("Linger")).text == "It lingers."
    await alice.say("Hurry")
    async with asyncio.timeout(WITHIN):
        await began.wait()
    await lk_api.room.delete_room(api.DeleteRoomRequest(room=alice.room.name))
    await worker.host.until_left()
    async with asyncio.timeout(WITHIN):
        await cancelled.wait()


async def test_a_file_goes_to_the_caller(
    start_worker: StartWorker, enter: Enter, model: DemoModel, report: Report
) -> None:
    alice = await enter("alice", worker=await start(start_worker, report.tool()))
    arrived = asyncio.Event()
    files: list[str] = []

    def on_file(reader: rtc.ByteStreamReader, _: str) -> None:
        files.append(reader.info.name)
        arrived.set()

    alice.room.register_byte_stream_handler("files", on_file)
    model.script(call("a file"), Reply("It is under way."), Reply("Here it is."))
    await alice.ask("A report, please")
    report.end("a file")
    [said] = await alice.until(lambda: unasked(alice))
    assert said.text == "Here it is."
    async with asyncio.timeout(WITHIN):
        await arrived.wait()
    assert files == ["report.txt"]


async def test_a_sync_tool_goes_on_in_its_thread(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    end = threading.Event()

    @tool(timeout=60)
    def count(context: ToolContext) -> int:
        """Count."""
        context.background()
        end.wait(30)
        return 17

    alice = await enter("alice", worker=await start(start_worker, count))
    model.script(
        Reply(tool_calls=[tool_call("count")]), Reply("I am counting."), Reply("17 it is.")
    )
    assert (await alice.ask("Count")).text == "I am counting."
    end.set()
    [said] = await alice.until(lambda: unasked(alice))
    assert said.text == "17 it is."
