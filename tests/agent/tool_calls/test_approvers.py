"""Tools that others than the asker approve, by their role; people who come and go meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest
from livekit import api, rtc

from agent.tool_calls import approval_question, approvals
from devserver.model import DemoModel, Reply, tool_call
from tests.agent.chat_client import ChatClient, announced
from tests.agent.conftest import Enter, StartWorker, Worker
from tests.agent.tool_calls.test_approval import Person, told
from tests.agent.tool_calls.test_retry import lose_the_room
from tests.room_server import RoomServerUnderTest
from toolkit import role, tool
from toolkit.tool import Retry
from tools.describe_tools import describe_tools

SUPERVISOR = {"role": "supervisor"}
YES, NO = '{"approved": true}', '{"approved": false, "reason": "Too much"}'
NOT_APPROVED = "refund was not approved: "


@tool(approvers=role("supervisor"))
async def refund(euros: int) -> str:
    """Pay money back."""
    return f"paid {euros}"


def refund_and_then(model: DemoModel) -> None:
    model.script(Reply(tool_calls=[tool_call("refund", '{"euros": 5}')]), Reply("So be it."))


async def agent_sees(
    worker: Worker, identity: str, so: Callable[[rtc.RemoteParticipant], bool]
) -> None:
    """Returns when the agent, in the only room of its worker, sees somebody so.

    Everybody in a room learns of a change at a time of their own.
    """
    (session,) = worker.host._sessions.values()  # pyright: ignore[reportPrivateUsage]
    rooms_loop = worker.host._loop  # pyright: ignore[reportPrivateUsage]
    room = session._room  # pyright: ignore[reportPrivateUsage]
    assert rooms_loop is not None

    async def until() -> None:
        changed = asyncio.Event()

        def on_change(*_: object) -> None:
            changed.set()

        room.on("participant_connected", on_change)
        room.on("participant_active", on_change)
        room.on("participant_attributes_changed", on_change)
        async with asyncio.timeout(20):
            while (found := room.remote_participants.get(identity)) is None or not so(found):
                changed.clear()
                await changed.wait()

    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(until(), rooms_loop))


@pytest.fixture
async def worker(start_worker: StartWorker) -> Worker:
    return await start_worker(tools=[refund, describe_tools])


@pytest.fixture
async def alice(worker: Worker, enter: Enter) -> ChatClient:
    return await enter("alice", worker=worker)


async def test_a_supervisor_approves_and_nobody_else_is_asked(
    alice: ChatClient, enter: Enter, model: DemoModel
) -> None:
    sam = await enter("sam", attributes=SUPERVISOR)
    eve = await enter("eve", attributes=SUPERVISOR, can_update_own_metadata=True)
    await announced(alice, sam, eve)
    asked, asker, forger = Person(sam, YES), Person(alice, NO), Person(eve, NO)
    refund_and_then(model)
    question = await alice.say("I want my money back")
    await alice.answer_to(question)
    assert told(model) == "paid 5"
    assert not asker.asked
    assert not forger.asked
    [shown] = asked.asked
    assert (shown["senderId"], shown["messageId"]) == ("alice", question)
    ended = await alice.notice("approval.ended", callId=shown["callId"])
    assert (ended["outcome"], ended["by"]) == ("approved", "sam")


async def test_the_first_of_two_decides_and_the_other_one_is_notified(
    alice: ChatClient, enter: Enter, model: DemoModel
) -> None:
    sam, tom = await enter("sam", attributes=SUPERVISOR), await enter("tom", attributes=SUPERVISOR)
    await announced(alice, sam, tom)
    late = asyncio.Event()
    slow, fast = Person(sam, YES, after=late), Person(tom, NO, after=asyncio.Event())
    refund_and_then(model)
    question = await alice.say("I want my money back")
    await slow.was_asked.wait()
    await fast.was_asked.wait()
    fast.decide()
    ended = await sam.notice("approval.ended")
    assert (ended["outcome"], ended["by"]) == ("refused", "tom")
    late.set()
    await alice.answer_to(question)
    assert told(model) == f"{NOT_APPROVED}an approver said no: Too much"


async def test_a_client_that_cannot_decide_leaves_it_to_the_others(
    alice: ChatClient, enter: Enter, model: DemoModel
) -> None:
    people = [await enter(name, attributes=SUPERVISOR) for name in ("bot", "odd", "mute", "sam")]
    bot, odd, mute, sam = people
    await announced(alice, *people)
    failing, unreadable = Person(bot, rtc.RpcError(503, "Nobody here")), Person(odd, "yes")
    decider = Person(sam, YES, after=asyncio.Event())
    refund_and_then(model)
    question = await alice.say("I want my money back")
    for person in (failing, unreadable, decider):
        await person.was_asked.wait()
    decider.decide()
    await alice.answer_to(question)
    assert told(model) == "paid 5"
    await mute.notice("approval.ended", by="sam")


async def test_nobody_is_there_who_may_approve(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(tools=[refund], APPROVAL_TIMEOUT="0.5")
    alice = await enter("alice", worker=worker)
    refund_and_then(model)
    await alice.ask("I want my money back")
    assert told(model) == (f"{NOT_APPROVED}nobody who may approve it was in the room within 0.5 s")
    await enter("sam", attributes=SUPERVISOR)
    active = rtc.ParticipantState.PARTICIPANT_STATE_ACTIVE
    await agent_sees(worker, "sam", lambda sam: sam.state == active)
    refund_and_then(model)
    await alice.ask("I want my money back")
    assert told(model) == f"{NOT_APPROVED}nobody who may approve it decided within 0.5 s"


async def test_approvers_who_join_later_or_come_back_are_asked(
    alice: ChatClient, enter: Enter, model: DemoModel
) -> None:
    refund_and_then(model)
    question = await alice.say("I want my money back")
    started = await alice.notice("tool.started")
    first = await enter("sam", attributes=SUPERVISOR)
    asked = Person(first)
    async with asyncio.timeout(20):
        await asked.was_asked.wait()
    await first.room.disconnect()
    back = await enter("sam", attributes=SUPERVISOR)
    again = Person(back, YES)
    await alice.answer_to(question)
    assert told(model) == "paid 5"
    assert asked.asked[0]["callId"] == again.asked[0]["callId"] == started["callId"]


async def test_another_approver_decides_after_one_has_left(
    alice: ChatClient, enter: Enter, model: DemoModel
) -> None:
    sam, tom = await enter("sam", attributes=SUPERVISOR), await enter("tom", attributes=SUPERVISOR)
    await announced(alice, sam, tom)
    gone, stays = Person(sam), Person(tom, YES, after=asyncio.Event())
    refund_and_then(model)
    question = await alice.say("I want my money back")
    await gone.was_asked.wait()
    await stays.was_asked.wait()
    await sam.room.disconnect()
    stays.decide()
    await alice.answer_to(question)
    assert told(model) == "paid 5"


async def test_a_role_counts_when_the_answer_comes(
    worker: Worker,
    alice: ChatClient,
    enter: Enter,
    model: DemoModel,
    room_server: RoomServerUnderTest,
    room_name: str,
) -> None:
    sam, tom = await enter("sam", attributes=SUPERVISOR), await enter("tom")
    await announced(alice, sam, tom)
    former, new = Person(sam, YES, after=asyncio.Event()), Person(tom, NO)
    refund_and_then(model)
    question = await alice.say("I want my money back")
    await former.was_asked.wait()

    async def set_role(identity: str, name: str) -> None:
        async with room_server.api() as server:
            await server.room.update_participant(
                api.UpdateParticipantRequest(
                    room=room_name, identity=identity, attributes={"role": name}
                )
            )
        await agent_sees(worker, identity, lambda who: who.attributes.get("role") == name)

    await set_role("sam", "clerk")
    former.decide()
    await set_role("tom", "supervisor")
    await new.was_asked.wait()
    await alice.answer_to(question)
    assert told(model) == f"{NOT_APPROVED}an approver said no: Too much"


async def test_an_answer_for_another_call_changes_nothing(
    alice: ChatClient, enter: Enter, model: DemoModel
) -> None:
    """An answer belongs to the request of one call; what it says about ids is not read."""
    sam = await enter("sam", attributes=SUPERVISOR)
    await announced(alice, sam)

    async def approve(invocation: rtc.RpcInvocationData) -> str:
        asked = json.loads(invocation.payload)
        is_five = asked["arguments"]["euros"] == 5
        return json.dumps({"approved": is_five, "callId": "TC_0123456789abcdef"})

    sam.me.register_rpc_method(approval_question.METHOD, approve)
    calls = [tool_call("refund", f'{{"euros": {euros}}}') for euros in (5, 500)]
    model.script(Reply(tool_calls=calls), Reply("So be it."))
    await alice.ask("I want my money back")
    results = [result for _, result in model.requests[-1].chat.tool_results]
    assert sorted(results) == ["paid 5", f"{NOT_APPROVED}an approver said no"]


async def test_by_rpc_only_an_approver_may_call(alice: ChatClient, enter: Enter) -> None:
    sam = await enter("sam", attributes=SUPERVISOR)
    with pytest.raises(
        rtc.RpcError, match="Only those who may approve refund may call it"
    ) as refused:
        await alice.call("refund", '{"euros": 5}')
    assert refused.value.code == 403
    assert await sam.call("refund", '{"euros": 5}') == "paid 5"
    offered = {each["name"]: each for each in json.loads(await sam.call("describeTools"))["tools"]}
    assert offered["refund"]["approvers"] == ["supervisor"]
    assert "refund" not in await alice.call("describeTools")


async def test_so_many_calls_of_a_room_wait_at_a_time(
    alice: ChatClient, model: DemoModel, monkeypatch: pytest.MonkeyPatch, enter: Enter
) -> None:
    monkeypatch.setattr(approvals, "MAX_WAITING", 2)
    sam = await enter("sam", attributes=SUPERVISOR)
    await announced(alice, sam)
    deciding = asyncio.Barrier(3)

    async def approve(_: rtc.RpcInvocationData) -> str:
        await deciding.wait()
        return YES

    sam.me.register_rpc_method(approval_question.METHOD, approve)
    calls = [tool_call("refund", f'{{"euros": {euros}}}') for euros in (1, 2, 3)]
    model.script(Reply(tool_calls=calls), Reply("So be it."))
    question = await alice.say("I want my money back")
    await alice.notice("tool.finished", outcome="error")
    # Two are asked about, and neither is decided before this.
    async with asyncio.timeout(20):
        await deciding.wait()
    await alice.answer_to(question)
    results = [result for _, result in model.requests[-1].chat.tool_results]
    assert results.count("Too many calls wait for approval") == 1
    assert [result[:4] for result in results].count("paid") == 2


async def test_so_many_people_are_asked_at_a_time(
    alice: ChatClient, model: DemoModel, monkeypatch: pytest.MonkeyPatch, enter: Enter
) -> None:
    monkeypatch.setattr(approval_question, "MAX_PEOPLE", 1)
    people = [await enter(name, attributes=SUPERVISOR) for name in ("sam", "tom")]
    await announced(alice, *people)
    failing = asyncio.Event()
    asked = [Person(each, ValueError("broken"), after=failing) for each in people]
    refund_and_then(model)
    question = await alice.say("I want my money back")
    was_asked = [asyncio.create_task(person.was_asked.wait()) for person in asked]
    await asyncio.wait(was_asked, return_when=asyncio.FIRST_COMPLETED)
    [second] = [each for each in people if not asked[people.index(each)].asked]
    next_one = Person(second, YES)
    failing.set()
    await alice.answer_to(question)
    assert told(model) == "paid 5"
    assert sum(len(person.asked) for person in (*asked, next_one)) == 2
    for task in was_asked:
        task.cancel()


async def test_an_approver_who_cannot_be_asked_takes_no_slot_of_others(
    alice: ChatClient, model: DemoModel, monkeypatch: pytest.MonkeyPatch, enter: Enter
) -> None:
    monkeypatch.setattr(approval_question, "MAX_PEOPLE", 1)
    sam = await enter("sam", attributes=SUPERVISOR)
    await announced(alice, sam)
    refund_and_then(model)
    question = await alice.say("I want my money back")
    await alice.notice("tool.started")
    tom = await enter("tom", attributes=SUPERVISOR)
    asked = Person(tom, ValueError("broken"), after=asyncio.Event())
    async with asyncio.timeout(20):
        await asked.was_asked.wait()
    late = Person(sam, YES)
    asked.decide()
    await alice.answer_to(question)
    assert told(model) == "paid 5"
    assert len(asked.asked) == len(late.asked) == 1


async def test_the_asker_who_comes_back_is_asked_again(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    @tool(needs_approval=True)
    async def order_tea() -> str:
        """Order tea."""
        return "ordered"

    worker = await start_worker(tools=[order_tea])
    bob = await enter("bob", worker=worker)
    alice = await enter("alice", worker=worker)
    await announced(alice, bob)
    person = Person(alice)
    model.script(Reply(tool_calls=[tool_call("orderTea")]), Reply("So be it."))
    question = await alice.say("Tea, please")
    await person.was_asked.wait()
    await alice.room.disconnect()
    again = Person(await enter("alice", worker=worker), YES)
    await bob.answer_to(question)
    assert told(model) == "ordered"
    assert again.asked[0]["callId"] == person.asked[0]["callId"]
    assert again.asked[0]["timeout"] < 60


@pytest.mark.parametrize("retry", ["never", "safe"])
async def test_a_waiting_call_of_a_lost_worker_is_asked_about_again(
    *, retry: Retry, start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    made: list[int] = []

    @tool(approvers=role("supervisor"), retry=retry)
    async def refund(euros: int) -> str:
        """Pay money back."""
        made.append(euros)
        return f"paid {euros}"

    worker = await start_worker(tools=[refund])
    alice = await enter("alice", worker=worker)
    sam = await enter("sam", worker=worker, attributes=SUPERVISOR)
    await announced(alice, sam)
    person = Person(sam)
    model.script(Reply(tool_calls=[tool_call("refund", '{"euros": 5}')]))
    question = await alice.say("I want my money back")
    await person.was_asked.wait()
    again = Person(sam, YES)
    refund_and_then(model)
    await lose_the_room(worker, alice)
    assert (await alice.answer_to(question)).text == "So be it."
    assert told(model) == "paid 5"
    assert made == [5]
    assert len(again.asked) == 1
