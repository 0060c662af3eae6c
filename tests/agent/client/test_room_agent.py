"""The Python client, with a worker in a real room."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from livekit import api, rtc

from agent.client import (
    AgentError,
    Approval,
    Decision,
    Delta,
    Elicitation,
    NoAnswerError,
    RoomAgent,
    Shown,
)
from agent.client.file_receiver import ReceivedFile, safe_name
from devserver.model import DemoModel, Fault, Reply, tool_call
from tests.agent.conftest import Enter, StartWorker, Worker
from tests.conftest import Join
from tests.room_server import RoomServerUnderTest
from toolkit import Data, File, PartAction, ToolContext, tool

Joined = Callable[..., Awaitable[RoomAgent]]


async def pressed(action: PartAction) -> dict[str, object]:
    return {"pressed": action.action}


@tool(needs_approval=True)
async def send_mail(to: str) -> str:
    """Send a mail."""
    return f"sent to {to}"


@tool
async def make_card(context: ToolContext) -> str:
    """Make a card."""
    context.show(Data("card", {"n": 1}, id="card", on_action=pressed))
    return "made"


@tool
async def write_report() -> File:
    """Write a report."""
    return File("report.txt", "all is well")


@pytest.fixture
async def worker(start_worker: StartWorker) -> Worker:
    return await start_worker(tools=[send_mail, make_card, write_report], STATE_WRITERS="everyone")


@pytest.fixture
async def joined(
    worker: Worker, room_server: RoomServerUnderTest, room_name: str, tmp_path: Path
) -> AsyncGenerator[Joined]:
    agents: list[RoomAgent] = []

    async def join(identity: str) -> RoomAgent:
        room = rtc.Room()
        agent = RoomAgent(room, files=tmp_path / identity)
        agents.append(agent)
        dispatch = api.RoomAgentDispatch(agent_name=worker.name)
        config = api.RoomConfiguration(agents=[dispatch])
        token = room_server.access_token(identity, room_name).with_room_config(config)
        await room.connect(room_server.url, token.to_jwt())
        await agent.ready(20)
        return agent

    yield join
    for agent in agents:
        await agent.aclose()
        await agent.room.disconnect()


async def test_an_answer_comes_as_it_is_made(joined: Joined, model: DemoModel) -> None:
    ana = await joined("ana")
    gate = asyncio.Event()
    model.script(Reply(tokens=["It is ", "noon."], after=1, pause=gate))
    answer = await ana.ask("What time is it?")
    pieces: list[str] = []
    async for event in answer:
        assert isinstance(event, Delta)
        pieces.append(event.text)
        gate.set()
    assert pieces == ["It is ", "noon."]
    assert answer.finish_reason == "stop"
    question, said = ana.messages
    assert (question.role, question.text) == ("user", "What time is it?")
    assert (said.role, said.text, said.id) == ("assistant", "It is noon.", answer.segment_id)
    assert said.position == (question.position or 0) + 1


async def test_a_private_answer_with_parts(
    joined: Joined, model: DemoModel, enter: Enter, worker: Worker
) -> None:
    ana, bob = await joined("ana"), await enter("bob", worker=worker)
    model.script(Reply("See:", tool_calls=[tool_call("makeCard")]), Reply("Done."))
    answer = await ana.ask("Make a card", private=True)
    events = [event async for event in answer]
    shown: dict[str, Any] = {e.part["id"]: e.part for e in events if isinstance(e, Shown)}
    assert shown["card"]["value"] == {"n": 1}
    assert "".join(e.text for e in events if isinstance(e, Delta)) == "See:\n\nDone."
    message = ana.messages.find(answer.segment_id or "")
    assert message is not None
    assert message.thread == "private:ana"
    assert message.parts == shown
    acted = await ana.act(answer.segment_id or "", "card", "press")
    assert acted == {"pressed": "press"}
    assert not bob.received("Done.")


async def test_it_is_stopped_edited_and_regenerated(joined: Joined, model: DemoModel) -> None:
    ana = await joined("ana")
    model.script(Reply(tokens=["For ", "ever"], after=1, pause=asyncio.Event()))
    answer = await ana.ask("Count")
    assert await anext(aiter(answer)) == Delta("For ")
    assert await ana.stop() == [answer.question_id]
    with pytest.raises(NoAnswerError, match="cancelled"):
        await answer.text()
    model.script(Reply("Anew."), Reply("Edited."))
    again = await ana.regenerate(answer.question_id)
    assert await again.text() == "Anew."
    edited = await ana.edit(answer.question_id, "Count to 3")
    assert await edited.text() == "Edited."
    assert again.segment_id == edited.segment_id == answer.segment_id
    assert [message.text for message in ana.messages] == ["Count to 3", "Edited."]
    former = [("Count", "For "), ("Count", "Anew.")]
    assert versions(ana, answer.question_id) == former
    long = "Count to " + "3" * 20_000
    model.script(Reply("That takes long."))
    assert await (await ana.edit(answer.question_id, long)).text() == "That takes long."
    read = asyncio.Event()
    ana.messages.on_change(lambda message: read.set() if message.text == long else None)
    async with asyncio.timeout(20):
        while next(iter(ana.messages)).text != long:
            await read.wait()
    assert versions(ana, answer.question_id) == [*former, ("Count to 3", "Edited.")]
    await ana.feedback(answer.segment_id or "", "up")
    gone = asyncio.Event()
    ana.messages.on_change(lambda message: gone.set() if not len(ana.messages) else None)
    await ana.delete(answer.question_id)
    async with asyncio.timeout(20):
        await gone.wait()


def versions(ana: RoomAgent, question_id: str) -> list[tuple[str, str | None]]:
    """The texts of a question's former versions, with their answers."""
    question = ana.messages.find(question_id)
    assert question is not None
    return [(each.text, each.answer and each.answer.text) for each in question.versions]


async def test_failures_say_why(joined: Joined, model: DemoModel) -> None:
    ana = await joined("ana")
    model.script(Reply("Half", fault=Fault.CUT, after=1))
    with pytest.raises(NoAnswerError, match="finish_reason error"):
        await (await ana.ask("Hello")).text()
    with pytest.raises(NoAnswerError, match="65536 bytes") as refused:
        await (await ana.ask("x" * 70_000)).text()
    assert refused.value.code == 413
    with pytest.raises(AgentError) as caught:
        await ana.call("deleteMessage", {"messageId": "none"})
    assert caught.value.code == 404
    model.script(Reply(fault=Fault.NO_RESPONSE))
    with pytest.raises(NoAnswerError, match="no answer within 1 s"):
        await (await ana.ask("Hello", silence=1)).text()


async def test_files_approvals_and_state(joined: Joined, model: DemoModel, tmp_path: Path) -> None:
    ana = await joined("ana")
    asked: list[Approval] = []

    async def approve(approval: Approval) -> bool:
        asked.append(approval)
        return True

    ana.on_approval = approve
    model.script(Reply(tool_calls=[tool_call("sendMail", '{"to": "bob"}')]), Reply("Sent."))
    assert await (await ana.ask("Mail Bob")).text() == "Sent."
    assert [(each.tool, each.arguments) for each in asked] == [("sendMail", {"to": "bob"})]

    saved: asyncio.Queue[ReceivedFile] = asyncio.Queue()
    ana.on_file = saved.put_nowait
    await ana.call("writeReport")
    async with asyncio.timeout(20):
        file = await saved.get()
    assert file.path == tmp_path / "ana" / "report.txt"
    assert file.path.read_text() == "all is well"

    note = tmp_path / "note.txt"
    note.write_text("remember the milk")
    model.script(Reply("Milk."))
    assert await (await ana.ask("What is it?", attachments=[note])).text() == "Milk."
    assert "remember the milk" in str(model.requests[-1].chat.messages)

    assert await ana.patch_state({"op": "add", "path": "/a", "value": 1}) == 1
    assert (await ana.state())["state"] == {"a": 1}


class Asker:
    """Somebody who asks as the agent does."""

    def __init__(self, join: Join, ana: RoomAgent, method: str = "approveTool") -> None:
        self._join = join
        self._ana = ana
        self._method = method

    async def comes(self) -> None:
        self.room = await self._join("asker", can_update_own_metadata=True)
        await self.room.local_participant.set_attributes({"agent.ready": "hello"})
        await self._ana.ready(20)

    async def leaves(self) -> None:
        left = asyncio.Event()
        self._ana.room.on("participant_disconnected", lambda _: left.set())  # pyright: ignore[reportUnknownLambdaType]
        await self.room.disconnect()
        async with asyncio.timeout(20):
            await left.wait()

    async def asks(self, call_id: str, message_id: str = "m-1") -> str:
        question: dict[str, object] = {"callId": call_id, "tool": "sendMail", "description": ""}
        question |= {"arguments": {}, "messageId": message_id, "timeout": 30.0}
        question |= {"questionId": f"{call_id}.1", "message": "Why?"}
        answer = await self.room.local_participant.perform_rpc(
            destination_identity="ana", method=self._method, payload=json.dumps(question)
        )
        given = json.loads(answer)
        return given.get("content", given).get("reason", "")

    async def tells(self, **notice: str) -> None:
        await self.room.local_participant.publish_data(json.dumps(notice), topic="system")


async def test_a_decision_is_kept_until_the_question_is_over(join: Join) -> None:
    ana = RoomAgent(await join("ana"), identity="asker")
    asked: list[str] = []
    ended = asyncio.Event()

    async def approve(approval: Approval) -> Decision:
        asked.append(approval.call_id)
        if len(asked) == 1:
            raise ValueError("broken")
        return Decision(approved=True, reason=f"number {len(asked)}")

    ana.on_approval = approve
    ana.on_notice = lambda _: ended.set()
    asker = Asker(join, ana)
    await asker.comes()
    with pytest.raises(rtc.RpcError, match="Application error"):
        await asker.asks("c-1")
    assert await asker.asks("c-1") == await asker.asks("c-1") == "number 2"
    assert await asker.asks("c-2") == "number 3"
    # As it looks to the client, too, when either of them makes a new connection.
    await asker.leaves()
    await asker.comes()
    assert await asker.asks("c-1") == "number 2"
    assert await asker.asks("c-2") == "number 3"
    await asker.tells(event="approval.ended", callId="c-1")
    async with asyncio.timeout(20):
        await ended.wait()
    assert await asker.asks("c-1") == "number 4"
    assert await asker.asks("c-2") == "number 3"
    assert asked == ["c-1", "c-1", "c-2", "c-1"]
    await ana.aclose()


class Waiting:
    """Questions that are being answered, by call: each waits until it is told to."""

    def __init__(self, ana: RoomAgent) -> None:
        self.notices: asyncio.Queue[tuple[object, ...]] = asyncio.Queue()
        self.asked: asyncio.Queue[str] = asyncio.Queue()
        self.ended: list[str] = []
        self.decide = asyncio.Event()
        ana.on_approval = self._approve
        ana.on_elicitation = self._answer
        ana.on_notice = lambda it: self.notices.put_nowait(
            (it["event"], it["callId"], it["outcome"])
        )

    async def _approve(self, approval: Approval) -> Decision:
        await self._wait(approval.call_id)
        return Decision(approved=True, reason="well")

    async def _answer(self, question: Elicitation) -> dict[str, str]:
        await self._wait(question.call_id)
        return {"reason": "well"}

    async def _wait(self, call_id: str) -> None:
        self.asked.put_nowait(call_id)
        try:
            await self.decide.wait()
        except asyncio.CancelledError:
            self.ended.append(call_id)
            raise


@pytest.mark.parametrize("method", ["approveTool", "elicit"])
async def test_a_question_outlives_the_agents_departure_and_is_answered_once(
    join: Join, method: str
) -> None:
    ana = RoomAgent(await join("ana"), identity="asker")
    waiting, asker = Waiting(ana), Asker(join, ana, method)
    await asker.comes()
    lost = asyncio.create_task(asker.asks("c-1"))
    async with asyncio.timeout(20):
        assert await waiting.asked.get() == "c-1"
        await asker.leaves()
        with pytest.raises(rtc.RpcError):
            await lost
        await asker.comes()
        again = asyncio.create_task(asker.asks("c-1"))
        # Of another message: whichever of the two comes first, it does not replace the other.
        other = asyncio.create_task(asker.asks("c-2", "m-2"))
        assert await waiting.asked.get() == "c-2"
        waiting.decide.set()
        assert await again == await other == "well"
    assert waiting.ended == []
    await ana.aclose()


@pytest.mark.parametrize(
    ("method", "comes"), [("approveTool", True), ("approveTool", False), ("elicit", False)]
)
async def test_a_question_that_no_agent_asks_again_is_withdrawn(
    join: Join, monkeypatch: pytest.MonkeyPatch, *, method: str, comes: bool
) -> None:
    if not comes:
        monkeypatch.setattr("agent.client.asked_questions.BACK_WITHIN", 0.1)
    ana = RoomAgent(await join("ana"), identity="asker")
    waiting, asker = Waiting(ana), Asker(join, ana, method)
    await asker.comes()
    lost = asyncio.create_task(asker.asks("c-1"))
    async with asyncio.timeout(20):
        assert await waiting.asked.get() == "c-1"
        await asker.leaves()
        with pytest.raises(rtc.RpcError):
            await lost
        if comes:
            # The next worker answers the same message, and its model makes new calls.
            await asker.comes()
            decided = asyncio.create_task(asker.asks("c-2"))
            assert await waiting.asked.get() == "c-2"
            waiting.decide.set()
            assert await decided == "well"
        event = "elicitation.ended" if method == "elicit" else "approval.ended"
        assert await waiting.notices.get() == (event, "c-1", "cancelled")
    assert waiting.ended == ["c-1"]
    await ana.aclose()


async def test_the_history_is_merged_with_what_comes(
    joined: Joined, model: DemoModel, enter: Enter, worker: Worker
) -> None:
    bob = await enter("bob", worker=worker)
    await bob.ask("first")
    ana = await joined("ana")
    await (await ana.ask("second")).text()
    await ana.load_history()
    await ana.load_history()
    assert [message.text for message in ana.messages if message.role == "user"] == [
        "first",
        "second",
    ]
    assert len(ana.messages) == 4
    assert [thread["id"] for thread in await ana.threads()] == ["room"]
    assert "makeCard" in ana.method_names


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("report.txt", "report.txt"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\a b.txt", "a b.txt"),
        ("\x1b[31m.sh", "__31m.sh"),
        ("...", "file"),
        ("", "file"),
    ],
)
def test_names_of_files_are_made_safe(name: str, safe: str) -> None:
    assert safe_name(name) == safe
