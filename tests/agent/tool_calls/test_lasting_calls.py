"""A call in the background whose tool says so outlives its worker."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from pathlib import Path

import pytest
from livekit import api

from agent.history.errors import UnavailableError
from agent.history.history import History
from agent.history.leases import LeaseHolder
from agent.history.made_calls import KeptCall
from agent.history.message import ThreadKey
from agent.history.open_history import open_history
from agent.history.sql_leases import LONGEST
from agent.parts.answer_parts import AnswerParts
from agent.testing import history_samples as samples
from agent.tool_calls import lasting_calls
from agent.tool_calls.background_calls import MAX_CALLS, BackgroundCall, BackgroundCalls
from agent.tool_calls.call_origin import CallOrigin
from agent.tool_calls.lasting_calls import MAX_ATTEMPTS, LastingCalls
from devserver.model import DemoModel, Reply
from tests.agent.app.session_room import calling
from tests.agent.app.test_unasked import unasked
from tests.agent.conftest import Enter, StartWorker
from tests.agent.tool_calls.background_reports import Report, begun, read, results
from tests.agent.tool_calls.test_retry import lose_the_room
from toolkit import Caller, ToolContext, role, tool


def kept(
    key: str = "k1",
    *,
    room: str = "kitchen",
    attempt: int = 0,
    age: float = 0,
    held_in: str = "",
) -> KeptCall:
    begun_at = int((time.time() - age) * 1000)
    arguments = f'{{"topic": "{key}"}}'
    return KeptCall(
        key,
        ThreadKey(room),
        "alice",
        "Alice",
        "m1",
        "makeReport",
        arguments,
        f"TC_{key}",
        attempt,
        begun_at,
        held_in,
    )


async def test_it_is_made_again_by_the_next_worker_and_told_once(
    start_worker: StartWorker, enter: Enter, model: DemoModel, report: Report
) -> None:
    worker = await start_worker(tools=[report.tool(survives=True)], CONVERSATIONS="room-name")
    alice = await enter("alice", worker=worker)
    former = alice.agent_sid
    call_id = await begun(alice, model)
    history = open_history(worker.settings.database_url)
    assert len(await history.made_calls.kept(alice.room.name)) == 1
    await lose_the_room(worker, alice)
    await alice.until_ready_again(former)
    await alice.until(lambda: len(alice.notices("tool.progress", callId=call_id)) == 2)
    assert (report.begun, report.cancelled) == (["sales", "sales"], ["sales"])
    assert report.keys[0] == report.keys[1]
    # The conversation goes on meanwhile.
    assert (await alice.ask("What is 1 + 1?")).finish_reason == "stop"
    model.script(Reply("Sales are 17."))
    report.end()
    [said] = await alice.until(lambda: unasked(alice))
    assert said.text == "Sales are 17."
    assert any("17 of sales" in each and call_id in each for each in read(model))
    assert (await alice.notice("tool.finished", callId=call_id, outcome="ok"))["tool"]
    await worker.server.aclose()
    assert await history.made_calls.kept(alice.room.name) == ()
    await history.aclose()


async def test_what_is_late_or_was_interrupted_too_often_is_not_made_again(
    start_worker: StartWorker, enter: Enter, model: DemoModel, report: Report, tmp_path: Path
) -> None:
    database = f"sqlite:///{tmp_path}/shared.db"
    history = open_history(database)
    await history.migrate()
    name = "a room with a past"
    await history.made_calls.keep(kept("late", room=name, age=7_200))
    await history.made_calls.keep(kept("often", room=name, attempt=MAX_ATTEMPTS))
    model.script(Reply("There is no report."))
    worker = await start_worker(
        tools=[report.tool(survives=True)], DATABASE_URL=database, CONVERSATIONS="room-name"
    )
    alice = await enter("alice", worker=worker, room=name)
    [said] = await alice.until(lambda: unasked(alice))
    assert said.text == "There is no report."
    assert any("TC_often" in each and "interrupted too often" in each for each in read(model))
    assert report.begun == []
    await worker.server.aclose()
    assert await history.made_calls.kept(name) == ()
    await history.aclose()


async def test_it_ends_with_its_result_or_with_the_room(
    start_worker: StartWorker,
    enter: Enter,
    model: DemoModel,
    report: Report,
    lk_api: api.LiveKitAPI,
) -> None:
    @tool(survives=True)
    async def be_quick(context: ToolContext) -> str:
        """Be quick."""
        context.background()
        return "done already"

    worker = await start_worker(
        tools=[report.tool(survives=True), be_quick], CONVERSATIONS="room-name"
    )
    alice = await enter("alice", worker=worker)
    history = open_history(worker.settings.database_url)
    model.script(calling("beQuick"), Reply("It is done."))
    assert (await alice.ask("Be quick")).text == "It is done."
    assert results(model) == ["done already"]
    await begun(alice, model)
    assert len(await history.made_calls.kept(alice.room.name)) == 1
    await lk_api.room.delete_room(api.DeleteRoomRequest(room=alice.room.name))
    await worker.host.until_left()
    assert await history.made_calls.kept(alice.room.name) == ()
    await history.aclose()


async def test_a_second_room_of_its_conversation_leaves_it_to_the_first(
    start_worker: StartWorker, enter: Enter, model: DemoModel, report: Report
) -> None:
    worker = await start_worker(tools=[report.tool(survives=True)], CONVERSATIONS="metadata")
    both = json.dumps({"conversation": "case 7"})
    alice = await enter("alice", worker=worker, room=f"one-{uuid.uuid4().hex}", metadata=both)
    await begun(alice, model)
    bob = await enter("bob", worker=worker, room=f"two-{uuid.uuid4().hex}", metadata=both)
    assert (await bob.ask("What is 1 + 1?")).finish_reason == "stop"
    model.script(Reply("Sales are 17."))
    report.end()
    [said] = await alice.until(lambda: unasked(alice))
    assert said.text == "Sales are 17."
    assert (report.begun, report.cancelled) == (["sales"], [])
    assert not bob.notices("tool.started")
    assert unasked(bob) == []


async def test_repeated_calls_respect_the_background_limit(
    start_worker: StartWorker, enter: Enter, model: DemoModel, report: Report, tmp_path: Path
) -> None:
    database = f"sqlite:///{tmp_path}/shared.db"
    history = open_history(database)
    await history.migrate()
    topics = [f"k{number}" for number in range(MAX_CALLS + 2)]
    for place, topic in enumerate(topics):
        await history.made_calls.keep(kept(topic, room="busy room", age=60 - place))
    worker = await start_worker(
        tools=[report.tool(survives=True)], DATABASE_URL=database, CONVERSATIONS="room-name"
    )
    alice = await enter("alice", worker=worker, room="busy room")
    await alice.until(lambda: len(alice.notices("tool.progress")) == MAX_CALLS)
    model.script(*(Reply(f"Report {number}.") for number in range(3)))
    for number in range(2):
        assert report.begun == topics[: MAX_CALLS + number]
        report.end(topics[number])
        await alice.until(lambda n=number: len(alice.notices("tool.progress")) == MAX_CALLS + 1 + n)
    assert report.begun == topics
    await worker.server.aclose()
    await history.aclose()


@pytest.fixture
async def history(tmp_path: Path) -> History:
    history = open_history(f"sqlite:///{tmp_path}/history.db")
    await history.migrate()
    return history


async def test_what_was_told_before_the_worker_died_is_not_made_again(history: History) -> None:
    told, begun_only = kept("told"), kept("begun")
    calls = LastingCalls(history, "agent")
    calls.conversation = samples.ROOM.room
    for each in (told, begun_only):
        calls.keep(each)
        answer = samples.unasked(calls.telling(each.key, each.attempt))
        await history.add_message(answer)
        if each is told:
            await history.finish_answer(samples.ended(answer))
    made: asyncio.Queue[str] = asyncio.Queue()

    async def make(call: KeptCall) -> bool:
        made.put_nowait(call.key)
        return True

    calls.resume(make)
    async with asyncio.timeout(10):
        assert await made.get() == "begun"
    await calls.aclose(is_over=False)
    assert made.empty()
    assert await history.made_calls.kept("kitchen") == (begun_only,)
    await history.aclose()


async def live_in(history: History, sid: str, seconds: float) -> None:
    """A worker process has the lease of a room, and lives for so long."""
    await history.leases.beat(LeaseHolder(f"process of {sid}", "all", "", 1), seconds)
    assert await history.leases.take("agent", sid, f"process of {sid}")


class RoomOfTwo(LastingCalls):
    """The kept calls of one of two rooms with one conversation.

    Attributes:
        made: keys of the calls that were made again.
        settled: gets the key of each call that was tried, and whether it was made.
        fails_for: keys that the database fails for once.
    """

    def __init__(self, history: History, sid: str) -> None:
        super().__init__(history, "agent")
        self.conversation, self.sid = "kitchen", sid
        self.made: list[str] = []
        self.settled: asyncio.Queue[tuple[str, bool]] = asyncio.Queue()
        self.fails_for: set[str] = set()

    async def make(self, call: KeptCall) -> bool:
        if call.key in self.fails_for:
            self.fails_for.remove(call.key)
            raise UnavailableError("away")
        is_made = await self.claim(call)
        if is_made:
            self.made.append(call.key)
        self.settled.put_nowait((call.key, is_made))
        return is_made


async def test_it_is_made_in_one_room_after_the_server_has_made_that_anew(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lasting_calls, "RETRIED_AFTER", 0.0)
    first, second = RoomOfTwo(history, "RM_first"), RoomOfTwo(history, "RM_second")
    first.resume(first.make)
    first.keep(kept(held_in="RM_first"))
    await live_in(history, "RM_anew", 20)
    await first.move("RM_anew")
    second.resume(second.make)
    async with asyncio.timeout(10):
        for _ in range(2):
            assert await second.settled.get() == ("k1", False)
    # The second room is over, and leaves the call to the first one.
    await second.aclose(is_over=True)
    [left] = await history.made_calls.kept("kitchen")
    assert left.held_in == "RM_anew"
    # The first one's end is the end of its calls, wherever it is.
    await first.aclose(is_over=True)
    assert await history.made_calls.kept("kitchen") == ()
    await history.aclose()


async def test_a_room_that_is_over_leaves_other_rooms_their_calls(history: History) -> None:
    await history.made_calls.keep(kept("theirs", held_in="RM_second"))
    await history.made_calls.keep(kept("of the dead", held_in="RM_dead"))
    await live_in(history, "RM_second", 20)
    calls = RoomOfTwo(history, "RM_first")
    waiting = asyncio.Event()

    async def wait(_: KeptCall) -> bool:
        waiting.set()
        await asyncio.Event().wait()
        return True

    calls.resume(wait)
    async with asyncio.timeout(10):
        await waiting.wait()
    await calls.aclose(is_over=True)
    assert [each.key for each in await history.made_calls.kept("kitchen")] == ["theirs"]
    await history.aclose()


async def test_what_was_refused_is_tried_again_when_a_dead_agent_s_lease_is_over(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lasting_calls.RETRIED_AFTER >= LONGEST
    held = {"dead": "RM_dead", "failing": "", "free": "", "theirs": "RM_second"}
    for place, (key, sid) in enumerate(held.items()):
        await history.made_calls.keep(kept(key, held_in=sid, age=60 - place))
    await live_in(history, "RM_dead", 20)
    await live_in(history, "RM_second", 20)
    monkeypatch.setattr(lasting_calls, "RETRIED_AFTER", 0.0)
    calls = RoomOfTwo(history, "RM_first")
    calls.fails_for = {"failing"}

    async def make(call: KeptCall) -> bool:
        if call.key == "free":
            # The first pass has seen it living.
            await live_in(history, "RM_dead", 0)
        return await calls.make(call)

    calls.resume(make)
    async with asyncio.timeout(10):
        tried = [await calls.settled.get() for _ in range(6)]
    assert tried[:3] == [("dead", False), ("free", True), ("theirs", False)]
    assert sorted(tried[3:]) == [("dead", True), ("failing", True), ("theirs", False)]
    await calls.aclose(is_over=False)
    assert calls.made.count("free") == 1
    assert len(await history.made_calls.kept("kitchen")) == 4
    await history.aclose()


async def test_an_agent_that_leaves_takes_up_no_call(history: History, report: Report) -> None:
    background = BackgroundCalls(LastingCalls(history, "agent"))
    await background.aclose(is_over=False)

    async def make() -> str:
        return "made"

    origin = CallOrigin(
        Caller("alice", "Alice"), "m1", None, private=False, attach=print, parts=_no_parts
    )
    call = BackgroundCall(background, report.tool(survives=True), {}, origin)
    task = asyncio.create_task(make())
    background.take_up(call, task)
    await asyncio.wait([task])
    assert task.cancelled()
    assert await history.made_calls.kept("") == ()
    await history.aclose()


def _no_parts() -> AnswerParts:
    raise AssertionError


def test_it_is_for_calls_that_are_safe_to_make_again() -> None:
    async def pay(context: ToolContext) -> None:
        """Pay."""
        context.background()

    assert tool(survives=True)(pay).survives
    for options in ({"retry": "never"}, {"needs_approval": True}, {"approvers": role("boss")}):
        with pytest.raises(TypeError, match="survives is for calls that are safe"):
            tool(survives=True, **options)(pay)  # pyright: ignore[reportArgumentType, reportCallIssue]
