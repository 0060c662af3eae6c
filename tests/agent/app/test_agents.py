"""Several agents in one app: who answers, with what, and how one hands over to another."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from livekit import api

from agent import App, Handoff, Persona
from devserver.model import DemoModel, Reply, tool_call
from tests.agent.chat_client import ChatClient
from tests.agent.conftest import Enter, StartWorker
from toolkit import tool


@tool
async def to_billing(reason: str) -> Handoff:
    """Hand the conversation to billing."""
    return Handoff("billing", reason)


@tool
async def to_nobody() -> Handoff:
    """Hand the conversation to somebody who does not exist."""
    return Handoff("nobody")


@tool
async def refund() -> str:
    """Give the money back."""
    return "refunded"


@pytest.fixture
def app() -> App:
    return App(
        {
            "triage": Persona("You are triage.", tools=[to_billing, to_nobody]),
            "billing": Persona("You are billing.", name="Billing desk", tools=[refund]),
        }
    )


def body_of(model: DemoModel, index: int = -1) -> dict[str, Any]:
    return cast("dict[str, Any]", model.requests[index].body)


def system_of(model: DemoModel, index: int = -1) -> str:
    return body_of(model, index)["messages"][0]["content"]


def tools_of(model: DemoModel, index: int = -1) -> set[str]:
    return {each["function"]["name"] for each in body_of(model, index).get("tools", [])}


def active(client: ChatClient) -> object:
    assert client.agent is not None
    return json.loads(client.agent.attributes["agent.active"])


async def test_dispatch_metadata_chooses_the_agent(
    start_worker: StartWorker, enter: Enter, model: DemoModel, app: App
) -> None:
    worker = await start_worker(app=app)
    alice = await enter("alice", worker=worker, metadata='{"agent": "billing"}')
    await alice.until(lambda: alice.agent and "agent.active" in alice.agent.attributes)
    assert active(alice) == {"name": "billing", "displayName": "Billing desk"}
    answer = await alice.ask("Hello")
    assert answer.attributes["agent"] == "billing"
    assert system_of(model) == "You are billing."
    assert tools_of(model) == {"refund"}
    [question, stored] = json.loads(await alice.call("getHistory"))["messages"]
    assert (stored["agent"], stored["senderName"]) == ("billing", "Billing desk")
    assert "agent" not in question


async def test_an_unknown_agent_in_metadata_is_the_default_one(
    start_worker: StartWorker, enter: Enter, model: DemoModel, app: App
) -> None:
    worker = await start_worker(app=app)
    alice = await enter("alice", worker=worker, metadata='{"agent": "sales"}')
    await alice.ask("Hello")
    assert system_of(model) == "You are triage."


async def test_a_handoff_goes_on_in_the_same_answer_and_stays(
    start_worker: StartWorker, enter: Enter, model: DemoModel, app: App
) -> None:
    worker = await start_worker(app=app)
    alice = await enter("alice", worker=worker)
    model.script(
        Reply(tool_calls=[tool_call("toBilling", '{"reason": "She wants a refund."}')]),
        Reply("Billing here."),
        Reply("Still billing."),
    )
    answer = await alice.ask("I want my money back")
    assert (answer.text, answer.attributes["agent"]) == ("Billing here.", "triage")
    finished = await alice.notice("answer.finished", segmentId=answer.attributes["lk.segment_id"])
    assert finished["agent"] == "billing"
    assert (system_of(model), tools_of(model)) == ("You are billing.", {"refund"})
    parts = await alice.parts_of(answer.in_reply_to)
    handoffs = [(each["from"], each["to"]) for each in parts if each["type"] == "handoff"]
    assert handoffs == [("triage", "billing")]
    result = body_of(model)["messages"][-1]
    assert result["role"] == "tool"
    assert "She wants a refund." in result["content"]
    await alice.until(lambda: active(alice) == {"name": "billing", "displayName": "Billing desk"})
    assert (await alice.ask("Are you there?")).attributes["agent"] == "billing"
    assert system_of(model) == "You are billing."


async def test_the_last_agent_answers_after_a_restart(
    start_worker: StartWorker,
    enter: Enter,
    model: DemoModel,
    app: App,
    tmp_path: object,
    lk_api: api.LiveKitAPI,
) -> None:
    database = f"sqlite:///{tmp_path}/shared.db"
    first = await start_worker(app=app, DATABASE_URL=database)
    alice = await enter("alice", worker=first)
    model.script(Reply(tool_calls=[tool_call("toBilling", '{"reason": "x"}')]), Reply("Billing."))
    await alice.ask("I want my money back")
    former = alice.agent_sid
    await first.server.aclose()
    second = await start_worker(app=app, DATABASE_URL=database)
    dispatch = api.CreateAgentDispatchRequest(agent_name=second.name, room=alice.room.name)
    await lk_api.agent_dispatch.create_dispatch(dispatch)
    await alice.until_ready_again(former)
    assert (await alice.ask("Are you there?")).attributes["agent"] == "billing"
    assert system_of(model) == "You are billing."


async def test_a_handoff_to_nobody_fails_and_the_agent_goes_on(
    start_worker: StartWorker, enter: Enter, model: DemoModel, app: App
) -> None:
    worker = await start_worker(app=app)
    alice = await enter("alice", worker=worker)
    model.script(Reply(tool_calls=[tool_call("toNobody")]), Reply("Sorry."))
    await alice.ask("Hello")
    assert "There is no agent nobody" in body_of(model)["messages"][-1]["content"]
    assert system_of(model) == "You are triage."


async def test_an_app_with_one_agent_says_nothing_of_agents(
    start_worker: StartWorker, enter: Enter
) -> None:
    alice = await enter("alice", worker=await start_worker(app=App()))
    answer = await alice.ask("Hello")
    assert alice.agent is not None
    assert "agent.active" not in alice.agent.attributes
    assert "agent" not in answer.attributes
    assert "agent" not in (await alice.notice("answer.finished"))


async def test_tools_for_callers_only_and_of_topics_that_nobody_uses_are_not_offered(
    enter: Enter, model: DemoModel
) -> None:
    alice = await enter("alice")
    await alice.ask("Hello")
    assert tools_of(model) == {"getWeather", "getCurrentTime"}
    await alice.send_packet({"type": "cursor", "x": 1, "y": 2})
    assert json.loads(await alice.call("getWhiteboard"))["elements"] == []
    await alice.ask("Where do I point?")
    assert tools_of(model) == {
        *("getWeather", "getCurrentTime"),
        *("getCursors", "readWhiteboard", "drawOnWhiteboard"),
    }
    assert json.loads(await alice.call("ping"))["pong"]
