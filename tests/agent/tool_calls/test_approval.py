"""Tools that a participant has to approve before the model may run them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from livekit import rtc

from agent.tool_calls import approval_question
from agent.tool_calls.approval_question import METHOD
from agent.tool_calls.approvals import MAX_ASKED
from devserver.model import DemoModel, Reply, tool_call
from tests.agent.chat_client import ChatClient
from tests.agent.client_protocol import lie_about_protocol
from tests.agent.conftest import Enter, StartWorker
from tests.agent.replies.test_private import told as recipients
from tests.room_server import RoomServerUnderTest
from toolkit.tool import tool
from tools import TOOLS


@tool(needs_approval=True)
async def send_mail(to: str) -> str:
    """Send a mail."""
    return f"sent to {to}"


class Person:
    """Somebody who is asked, and answers what the test says; `after` that event, or `decide`."""

    def __init__(
        self,
        client: ChatClient,
        answer: str | Exception | None = None,
        *,
        after: asyncio.Event | None = None,
    ) -> None:
        self.asked: list[dict[str, Any]] = []
        self.was_asked = asyncio.Event()
        self._answer = answer
        self._after = after
        client.me.register_rpc_method(METHOD, self._approve)

    async def _approve(self, invocation: rtc.RpcInvocationData) -> str:
        assert invocation.caller_identity == "agent"
        self.asked.append(json.loads(invocation.payload))
        self.was_asked.set()
        if self._after is not None:
            await self._after.wait()
        if isinstance(self._answer, Exception):
            raise self._answer
        if self._answer is None:
            await asyncio.Event().wait()
        return self._answer or ""

    def decide(self) -> None:
        """Gives the answer now."""
        assert self._after is not None
        self._after.set()


def mail_and_then(model: DemoModel, arguments: str = '{"to": "bob"}') -> None:
    model.script(Reply(tool_calls=[tool_call("sendMail", arguments)]), Reply("So be it."))


def told(model: DemoModel) -> str:
    """The result that the model got for its call."""
    ((_, result),) = model.requests[-1].chat.tool_results
    return result


@pytest.fixture
async def alice(start_worker: StartWorker, enter: Enter) -> ChatClient:
    return await enter("alice", worker=await start_worker(tools=[*TOOLS, send_mail]))


async def test_an_approved_call_runs(alice: ChatClient, model: DemoModel) -> None:
    person = Person(alice, '{"approved": true}')
    mail_and_then(model)
    question = await alice.say("Mail Bob")
    await alice.answer_to(question)
    assert told(model) == "sent to bob"
    finished = await alice.notice("tool.finished", outcome="ok")
    assert person.asked == [
        {
            "callId": finished["callId"],
            "tool": "sendMail",
            "description": "Send a mail.",
            "arguments": {"to": "bob"},
            "messageId": question,
            "senderId": "alice",
            "senderName": "",
            "timeout": 60.0,
        }
    ]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ('{"approved": false}', "the participant said no"),
        ('{"approved": false, "reason": "Not now"}', "the participant said no: Not now"),
        ('{"approved": false, "reason": "' + "x" * 300 + '"}', "no: " + "x" * 200),
        ("yes", "the participant's app gave no answer that can be read"),
        ('{"approved": "true"}', "the participant's app gave no answer that can be read"),
        ('{"approved": 1}', "the participant's app gave no answer that can be read"),
        ("", "the participant's app gave no answer that can be read"),
        ("[" * 10_000, "the participant's app gave no answer that can be read"),
        (rtc.RpcError(400, "Not like this"), "the participant's app: Not like this"),
        (ValueError("secret"), "the participant's app: Application error in method handler"),
    ],
)
async def test_all_but_a_plain_yes_is_a_no(
    alice: ChatClient, model: DemoModel, answer: str | Exception, reason: str
) -> None:
    Person(alice, answer)
    mail_and_then(model)
    assert (await alice.ask("Mail Bob")).text == "So be it."
    assert told(model).endswith(reason)
    finished = await alice.notice("tool.finished")
    assert (finished["outcome"], finished["code"]) == ("error", 403)
    assert finished["content"].startswith("sendMail was not approved: ")


async def test_an_app_that_cannot_ask_is_named(alice: ChatClient, model: DemoModel) -> None:
    mail_and_then(model)
    await alice.ask("Mail Bob")
    assert told(model) == "sendMail was not approved: the participant's app cannot ask for approval"


async def test_nobody_decides_in_time(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(tools=[send_mail], APPROVAL_TIMEOUT="0.5")
    alice = await enter("alice", worker=worker)
    person = Person(alice)
    mail_and_then(model)
    await alice.ask("Mail Bob")
    assert person.asked
    assert told(model).endswith("the participant did not answer within 0.5 s")


async def test_leaving_while_asked_is_no_approval(
    alice: ChatClient, enter: Enter, model: DemoModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approval_question, "ABSENT_FOR", 0.2)
    bob = await enter("bob")
    person = Person(alice)
    mail_and_then(model)
    question = await alice.say("Mail Bob")
    await person.was_asked.wait()
    await alice.room.disconnect()
    assert (await bob.answer_to(question)).text == "So be it."
    assert told(model) == "sendMail was not approved: the participant has left"


async def test_an_interrupted_answer_asks_no_longer(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(tools=[send_mail], INTERRUPT_ON_MESSAGE="true")
    alice = await enter("alice", worker=worker)
    person = Person(alice)
    mail_and_then(model)
    first = await alice.say("Mail Bob")
    await person.was_asked.wait()
    second = await alice.say("Never mind")
    await alice.notice("tool.finished", outcome="cancelled", callId=person.asked[0]["callId"])
    assert (await alice.answer_to(first)).finish_reason == "interrupted"
    await alice.answer_to(second)


async def test_only_the_asker_is_asked_for_approval(
    alice: ChatClient, enter: Enter, model: DemoModel
) -> None:
    bob = await enter("bob")
    somebody_else = Person(alice, '{"approved": true}')
    asker = Person(bob, '{"approved": false}')
    mail_and_then(model)
    await bob.ask("Mail Bob")
    assert asker.asked
    assert not somebody_else.asked


async def test_calling_a_tool_by_rpc_needs_no_approval(alice: ChatClient) -> None:
    person = Person(alice, '{"approved": false}')
    assert await alice.call("sendMail", '{"to": "bob"}') == "sent to bob"
    assert not person.asked


async def test_arguments_that_cannot_be_shown_are_not_asked_for(
    alice: ChatClient, model: DemoModel
) -> None:
    person = Person(alice, '{"approved": true}')
    mail_and_then(model, json.dumps({"to": "x" * 20_000}))
    await alice.ask("Mail Bob")
    assert told(model) == "The arguments of sendMail are too long to be shown for approval"
    assert not person.asked


async def test_one_person_is_not_asked_for_any_number_at_a_time(
    alice: ChatClient, model: DemoModel
) -> None:
    person = Person(alice, '{"approved": true}')
    calls = [tool_call("sendMail", '{"to": "bob"}') for _ in range(MAX_ASKED * 2)]
    model.script(Reply(tool_calls=calls), Reply("So be it."))
    await alice.ask("Mail Bob often")
    results = [result for _, result in model.requests[-1].chat.tool_results]
    assert len(results) == MAX_ASKED * 2
    assert set(results) == {"sent to bob", "Too many calls wait for approval"}
    assert len(person.asked) == results.count("sent to bob")


@pytest.mark.parametrize("client_protocol", [0, 1, 2])
async def test_a_private_approval_is_for_nobody_else(
    room_server: RoomServerUnderTest,
    room_name: str,
    alice: ChatClient,
    enter: Enter,
    model: DemoModel,
    client_protocol: int,
) -> None:
    bob = await enter("bob")
    await bob.ask("hello everybody")  # All participants know each other by now.
    if client_protocol < 2:
        lie_about_protocol(room_server, room_name, "alice", client_protocol)
    person = Person(alice, '{"approved": true}')
    secret = "SECRET" * 1_500
    mail_and_then(model, json.dumps({"to": secret}))
    await alice.send_packet({"type": "chat", "id": "m-1", "text": "Mail", "private": True})
    await alice.notice("answer.finished", inReplyTo="m-1")
    if client_protocol == 1:
        assert told(model).endswith("the participant's app cannot be asked privately")
        assert not person.asked
    else:
        assert told(model) == f"sent to {secret}"
        assert person.asked[0]["arguments"] == {"to": secret}
        assert person.asked[0]["messageId"] == "m-1"
        assert recipients(room_server.embedded, room_name, secret, alice, bob) <= {"alice"}
    await bob.ask("And me?")
    assert "bob" not in recipients(room_server.embedded, room_name, "SECRET", alice, bob)
