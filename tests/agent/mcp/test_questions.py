"""Questions of MCP servers while a tool runs: to the caller's client, and to the model."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from livekit import rtc

from agent.host import room_host
from agent.mcp import connection
from devserver.model import DemoModel, Reply, tool_call
from tests.agent.chat_client import ChatClient
from tests.agent.conftest import Enter, StartWorker
from tests.agent.tool_calls.test_approval import Person, told

ASKING_SERVER = str(Path(__file__).parent / "asking_server.py")


def servers(**settings: object) -> str:
    program = {"command": sys.executable, "args": [ASKING_SERVER]}
    return json.dumps({"shop": {**program, **settings}})


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "FIRST_DELAY", 0.05)
    monkeypatch.setattr(room_host, "PATIENCE", 20.0)


class Asked:
    """Somebody's client that is asked, and what it answers."""

    def __init__(self, client: ChatClient, answer: str) -> None:
        self.questions: list[Mapping[str, Any]] = []
        self._answer = answer
        client.me.register_rpc_method("elicit", self._elicit)

    async def _elicit(self, invocation: rtc.RpcInvocationData) -> str:
        assert invocation.caller_identity == "agent"
        self.questions.append(json.loads(invocation.payload))
        return self._answer


def calls(model: DemoModel, tool: str, arguments: str = "{}") -> None:
    model.script(Reply(tool_calls=[tool_call(tool, arguments)]), Reply("So be it."))


@pytest.fixture
async def alice(start_worker: StartWorker, enter: Enter) -> ChatClient:
    setting = servers(elicitation=True, sampling=True, rpc=["book"])
    worker = await start_worker(MCP_SERVERS=setting)
    client = await enter("alice", worker=worker)
    async with asyncio.timeout(20):
        await client.until(
            lambda: (
                client.agent is not None and "shop_book" in client.agent.attributes["agent.ready"]
            )
        )
    return client


async def test_the_caller_is_asked_and_nobody_else(
    alice: ChatClient, enter: Enter, model: DemoModel
) -> None:
    bob = await enter("bob")
    answer = json.dumps({"action": "accept", "content": {"guests": 4}})
    asked, not_asked = Asked(alice, answer), Asked(bob, answer)
    calls(model, "shop_book")
    await alice.ask("Book a table")
    assert told(model) == "booked for 4"
    (question,) = asked.questions
    assert question["tool"] == "shop_book"
    assert question["message"] == "For how many?"
    assert question["schema"]["properties"]["guests"]["maximum"] == 9
    assert question["questionId"] == f"{question['callId']}.1"
    assert question["messageId"]
    ended = await alice.notice("elicitation.ended", questionId=question["questionId"])
    assert ended["outcome"] == "accept"
    assert not not_asked.questions


async def test_all_but_a_form_that_fits_is_no_answer(alice: ChatClient, model: DemoModel) -> None:
    for answer, result in (
        ('{"action": "decline"}', "not booked: decline"),
        ('{"action": "cancel"}', "not booked: cancel"),
        ('{"action": "accept", "content": {"guests": 99}}', "no answer that can be read"),
        ('{"action": "accept"}', "no answer that can be read"),
        ("yes", "no answer that can be read"),
    ):
        Asked(alice, answer)
        calls(model, "shop_book")
        await alice.ask("Book a table")
        assert result in told(model), answer


async def test_an_app_that_cannot_be_asked_is_named(alice: ChatClient, model: DemoModel) -> None:
    calls(model, "shop_book")
    await alice.ask("Book a table")
    assert "the participant's app has no elicit" in told(model)


async def test_a_page_is_opened_by_the_client(alice: ChatClient, model: DemoModel) -> None:
    asked = Asked(alice, '{"action": "accept"}')
    calls(model, "shop_sign_in")
    await alice.ask("Sign me in")
    assert told(model) == "accept"
    (question,) = asked.questions
    assert question["url"] == "https://example.com/sign-in"
    assert "schema" not in question


async def test_a_caller_by_rpc_is_asked(alice: ChatClient) -> None:
    asked = Asked(alice, '{"action": "accept", "content": {"guests": 2}}')
    # The SDK sets 7 s aside for the way: 3 s of 10 are short for a program to start in.
    assert await alice.call("shop_book", timeout=30) == "booked for 2"
    assert asked.questions[0]["messageId"] == ""


async def test_the_model_is_asked_once_the_caller_agrees(
    alice: ChatClient, model: DemoModel
) -> None:
    person = Person(alice, '{"approved": true}')
    model.script(
        Reply(tool_calls=[tool_call("shop_translate", '{"text": "the cat"}')]),
        Reply("die Katze"),
        Reply("Done."),
    )
    await alice.ask("Translate")
    assert told(model).endswith(", endTurn: die Katze")
    sampled = model.requests[1].body["messages"]
    assert sampled == [
        {"role": "system", "content": "Translate into German."},
        {"role": "user", "content": "the cat"},
    ]
    (asked,) = person.asked
    assert asked["tool"] == "shop_translate_sampling"
    assert asked["arguments"]["messages"] == [{"role": "user", "text": "the cat"}]


async def test_the_model_is_not_asked_unless_the_caller_agrees(
    alice: ChatClient, model: DemoModel
) -> None:
    Person(alice, '{"approved": false}')
    calls(model, "shop_translate", '{"text": "the cat"}')
    before = len(model.requests)
    await alice.ask("Translate")
    assert "was not approved" in told(model)
    assert len(model.requests) == before + 2


async def test_a_server_may_ask_nothing_unless_the_setting_says_so(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    alice = await enter("alice", worker=await start_worker(MCP_SERVERS=servers()))
    asked = Asked(alice, '{"action": "accept", "content": {"guests": 4}}')
    calls(model, "shop_book")
    await alice.ask("Book a table")
    assert "booked" not in told(model)
    assert not asked.questions
