"""`/approve` in the terminal of somebody who approves the calls of others."""

from __future__ import annotations

import asyncio
from pathlib import Path

from devserver.model import DemoModel, Reply, tool_call
from tests.agent.cli.command_line import CommandLine
from tests.agent.cli.test_chat import Terminal
from tests.agent.conftest import Enter, StartWorker
from tests.agent.tool_calls.test_approval import Person
from tests.room_server import RoomServerUnderTest
from toolkit import role, tool


@tool(approvers=role("supervisor"))
async def refund(euros: int) -> str:
    """Pay money back."""
    return f"paid {euros}"


async def test_a_supervisor_approves_in_a_terminal(
    *,
    start_worker: StartWorker,
    room_server: RoomServerUnderTest,
    room_name: str,
    enter: Enter,
    model: DemoModel,
    tmp_path: Path,
) -> None:
    worker = await start_worker(tools=[refund])
    agent = CommandLine(
        tmp_path,
        LIVEKIT_URL=room_server.url,
        LIVEKIT_API_KEY=room_server.api_key,
        LIVEKIT_API_SECRET=room_server.api_secret,
        AGENT_NAME=worker.name,
    )
    alice = await enter("alice", worker=worker)
    calls = [tool_call("refund", f'{{"euros": {euros}}}') for euros in (5, 6)]
    async with Terminal(agent, room_name, "--role", "supervisor") as terminal:
        await terminal.shows("Ctrl-D ends.")
        model.script(Reply(tool_calls=calls), Reply("One of them."))
        question = await alice.say("I want my money back")
        for _ in calls:
            await terminal.shows("wants to run for alice: /approve")
        terminal.type("/approve no too late\n/approve\n")
        await alice.answer_to(question)
        refused, paid = sorted(
            (result for _, result in model.requests[-1].chat.tool_results),
            key=lambda result: result.startswith("paid"),
        )
        assert refused == "refund was not approved: an approver said no: too late"
        assert paid.startswith("paid ")

        tom = await enter("tom", attributes={"role": "supervisor"})
        other = Person(tom, '{"approved": true}', after=asyncio.Event())
        await alice.until_sees(tom)
        model.script(Reply(tool_calls=calls[:1]), Reply("There you are."))
        question = await alice.say("All of it, please")
        await terminal.shows("wants to run for alice: /approve")
        await other.was_asked.wait()
        other.decide()
        await terminal.shows("tom has approved refund")
        await alice.answer_to(question)
        terminal.type("/approve\n")
        await terminal.shows("nothing waits for approval")
