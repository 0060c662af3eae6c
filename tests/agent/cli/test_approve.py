"""`/approve` in the terminal of somebody who approves the calls of others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from devserver.model import DemoModel, Reply, tool_call
from tests.agent.cli.command_line import CommandLine
from tests.agent.cli.test_chat import Terminal
from tests.agent.conftest import Enter, StartWorker, Worker
from tests.agent.tool_calls.test_approval import Person
from toolkit import role, tool


@tool(approvers=role("supervisor"))
async def refund(euros: int) -> str:
    """Pay money back."""
    return f"paid {euros}"


async def test_a_supervisor_approves_in_a_terminal(
    *,
    start_worker: StartWorker,
    command_line: Callable[[Worker], CommandLine],
    room_name: str,
    enter: Enter,
    model: DemoModel,
) -> None:
    worker = await start_worker(tools=[refund])
    agent = command_line(worker)
    alice = await enter("alice", worker=worker, name="Alice A.")
    calls = [tool_call("refund", f'{{"euros": {euros}}}') for euros in (5, 6)]
    async with Terminal(agent, room_name, "--role", "supervisor") as terminal:
        await terminal.shows("Ctrl-D ends.")
        model.script(Reply(tool_calls=calls), Reply("One of them."))
        question = await alice.say("I want my money back")
        for number in (1, 2):
            await terminal.shows(f"wants to run for Alice A. (alice): /approve {number}, or")
        for vague in ("/approve", "/approve 3", "/approve 1no"):
            terminal.type(f"{vague}\n")
            await terminal.shows("/approve [NUMBER] [no [REASON]]")
        euros = "5" if "[2] refund {'euros': 5}" in terminal.seen else "6"
        terminal.type("/approve 2\n")
        await terminal.shows("[2] you have approved refund")
        terminal.type("/approve 2 no\n")
        await terminal.shows("these wait: 1")
        terminal.type("/approve no too late\n")
        await terminal.shows("[1] you have refused refund")
        await alice.answer_to(question)
        refused, paid = sorted(
            (result for _, result in model.requests[-1].chat.tool_results),
            key=lambda result: result.startswith("paid"),
        )
        assert refused == "refund was not approved: an approver said no: too late"
        assert paid == f"paid {euros}"

        tom = await enter("tom", attributes={"role": "supervisor"})
        other = Person(tom, '{"approved": true}', after=asyncio.Event())
        await alice.until_sees(tom)
        model.script(Reply(tool_calls=calls[:1]), Reply("There you are."))
        question = await alice.say("All of it, please")
        await terminal.shows("/approve 3, or")
        await other.was_asked.wait()
        other.decide()
        await terminal.shows("[3] tom has approved refund")
        await alice.answer_to(question)
        terminal.type("/approve\n")
        await terminal.shows("nothing waits for approval")
        # Who was about to answer the former one says which is meant.
        await tom.room.disconnect()
        model.script(Reply(tool_calls=calls[:1]), Reply("Once more."))
        question = await alice.say("Again, please")
        await terminal.shows("/approve 4, or")
        terminal.type("/approve\n")
        await terminal.shows("these wait: 4")
        terminal.type("/approve 4\n")
        await terminal.shows("[4] you have approved refund")
        await alice.answer_to(question)


async def test_a_question_that_nobody_answers_is_over(
    *,
    start_worker: StartWorker,
    command_line: Callable[[Worker], CommandLine],
    room_name: str,
    enter: Enter,
    model: DemoModel,
) -> None:
    worker = await start_worker(tools=[refund], APPROVAL_TIMEOUT="2")
    agent = command_line(worker)
    alice = await enter("alice", worker=worker)
    async with Terminal(agent, room_name, "--role", "supervisor") as terminal:
        await terminal.shows("Ctrl-D ends.")
        model.script(Reply(tool_calls=[tool_call("refund", '{"euros": 5}')]), Reply("Nobody."))
        await alice.say("I want my money back")
        await terminal.shows("wants to run for alice: /approve 1, or")
        await terminal.shows("[1] nobody decided in time about refund")
        terminal.type("/approve 1\n")
        await terminal.shows("nothing waits for approval")
