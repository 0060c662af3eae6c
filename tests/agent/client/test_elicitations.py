"""Questions of tools, answered by the Python client."""

from __future__ import annotations

import asyncio
import json

import pytest
from livekit import rtc

from agent.client import AgentError, Approval, Elicitation, RoomAgent
from devserver.model import DemoModel, Reply, tool_call
from tests.agent.client.test_room_agent import Joined, joined
from tests.agent.conftest import StartWorker, Worker
from tests.conftest import Join
from toolkit import ToolContext, tool

__all__ = ["joined"]


@tool
async def book(context: ToolContext) -> str:
    """Book a table."""
    guests = {"type": "integer"}
    form = {"type": "object", "properties": {"guests": guests}, "required": ["guests"]}
    answer = await context.elicit("For how many?", form)
    return f"{answer.action} {answer.content}"


@tool
async def confirm_booking(context: ToolContext) -> str:
    """Ask for yes or no."""
    answer = await context.elicit("Shall I?")
    return f"{answer.action} {answer.content}"


@pytest.fixture
async def worker(start_worker: StartWorker) -> Worker:
    return await start_worker(tools=[book, confirm_booking])


async def test_a_question_is_answered_and_taken_away(joined: Joined, model: DemoModel) -> None:
    ana = await joined("ana")
    asked: list[Elicitation] = []

    async def answer(question: Elicitation) -> dict[str, int]:
        asked.append(question)
        return {"guests": 4}

    ana.on_elicitation = answer
    model.script(Reply(tool_calls=[tool_call("book", "{}")]), Reply("Booked."))
    assert await (await ana.ask("A table")).text() == "Booked."
    ((_, told),) = model.requests[-1].chat.tool_results
    assert told == "accept {'guests': 4}"
    (question,) = asked
    assert (question.tool, question.message, question.url) == ("book", "For how many?", "")

    ended = asyncio.Event()
    cancelled = asyncio.Event()

    async def wait(_: Elicitation) -> bool:
        ended.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return True

    ana.on_elicitation = wait
    model.script(Reply(tool_calls=[tool_call("book", "{}")]))
    asking = asyncio.create_task(ana.ask("Another table"))
    async with asyncio.timeout(20):
        await ended.wait()
        await asking
        await ana.stop()
        await cancelled.wait()


async def test_the_time_of_a_question_is_not_that_of_the_call(joined: Joined) -> None:
    ana = await joined("ana")
    asked = asyncio.Event()

    async def answer(_: Elicitation) -> bool:
        if not asked.is_set():
            asked.set()
            await asyncio.Event().wait()
        return True

    ana.on_elicitation = answer
    with pytest.raises(AgentError) as refused:
        await ana.call("confirmBooking", {}, timeout=0.0)
    assert refused.value.code == rtc.RpcError.ErrorCode.RESPONSE_TIMEOUT
    async with asyncio.timeout(20):
        await asked.wait()
        # The call was given up, but its question still waits: meanwhile no time passes for others.
        assert await ana.call("confirmBooking", {}, timeout=0.0) == "accept {}"


async def test_a_question_about_somebody_elses_call_gives_ones_own_no_time(join: Join) -> None:
    ana = RoomAgent(await join("ana"), identity="asker")
    asker = await join("asker", can_update_own_metadata=True)
    asked = asyncio.Event()

    async def decide(_: Approval) -> bool:
        asked.set()
        await asyncio.Event().wait()
        return True

    async def answer(_: Elicitation) -> None:
        return None

    async def sleep(_: rtc.RpcInvocationData) -> str:
        await asyncio.Event().wait()
        return ""

    ana.on_approval, ana.on_elicitation = decide, answer
    asker.local_participant.register_rpc_method("sleep", sleep)
    await asker.local_participant.set_attributes({"agent.ready": "hello"})
    await ana.ready(20)
    about: dict[str, object] = {
        "callId": "c-1",
        "tool": "pay",
        "description": "",
        "arguments": {},
        "messageId": "",
    }
    about |= {"senderId": "bob", "senderName": "Bob", "timeout": 20.0}
    asking = asyncio.create_task(
        asker.local_participant.perform_rpc(
            destination_identity="ana", method="approveTool", payload=json.dumps(about)
        )
    )
    async with asyncio.timeout(20):
        await asked.wait()
        with pytest.raises(AgentError) as refused:
            await ana.call("sleep", {}, timeout=0.0)
    assert refused.value.code == rtc.RpcError.ErrorCode.RESPONSE_TIMEOUT
    await ana.aclose()
    with pytest.raises(rtc.RpcError):
        await asking


@pytest.mark.parametrize(
    ("given", "action"), [(True, "accept"), (False, "decline"), (None, "cancel")]
)
async def test_a_question_has_three_answers(
    joined: Joined, model: DemoModel, given: bool | None, action: str
) -> None:
    ana = await joined("ana")

    async def answer(_: Elicitation) -> bool | None:
        return given

    ana.on_elicitation = answer
    model.script(Reply(tool_calls=[tool_call("confirmBooking", "{}")]), Reply("So be it."))
    await (await ana.ask("A table")).text()
    ((_, told),) = model.requests[-1].chat.tool_results
    assert told == f"{action} {{}}"
