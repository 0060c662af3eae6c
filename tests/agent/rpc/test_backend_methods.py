"""The methods for backends, and that nobody else may call them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from livekit import api, rtc
from livekit.agents import Agent
from livekit.protocol import models

from agent import App, Persona
from agent.history.leases import LeaseState
from agent.history.open_history import open_history
from agent.sdk.perform_rpc import perform_rpc
from devserver.model import DemoModel, Reply
from tests.agent.app.test_unasked import unasked
from tests.agent.chat_client import AGENT, ChatClient
from tests.agent.conftest import Enter, StartWorker
from tests.room_server import RoomServerUnderTest
from toolkit import tool

BACKEND = {"role": "backend"}
CALLS: dict[str, dict[str, object]] = {
    "say": {"text": "Good morning."},
    "ask": {"instruction": "Greet them."},
    "handoff": {"agent": "billing"},
    "setInstructions": {"instructions": "Be rude."},
    "endSession": {},
}
Perform = Callable[..., Awaitable[dict[str, Any]]]


class Billing(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You are billing.")


APP = App(
    {
        "desk": Persona("You are the desk."),
        "stock": Persona("You are the stock."),
        "billing": Billing,
    }
)


@pytest.fixture
def perform(lk_api: api.LiveKitAPI, room_server: RoomServerUnderTest, room_name: str) -> Perform:
    """Calls a method by the server's API, with the backend's token in the arguments."""

    async def call(method: str, **arguments: object) -> dict[str, Any]:
        token = room_server.token("", room_name, room_admin=True)
        payload = json.dumps({"token": token, **arguments})
        return json.loads(await perform_rpc(lk_api.room, room_name, AGENT, method, payload))

    return call


async def code_of(client: ChatClient, method: str, **arguments: object) -> int:
    with pytest.raises(rtc.RpcError) as refused:
        await client.call(method, json.dumps(arguments))
    return refused.value.code


async def test_it_says_something_to_all_and_to_one(
    start_worker: StartWorker, enter: Enter, perform: Perform
) -> None:
    worker = await start_worker(app=APP)
    alice = await enter("alice", worker=worker)
    bob = await enter("bob", worker=worker)
    await alice.until_sees(bob)
    segment = (await perform("say", text="Dinner is ready."))["segmentId"]
    for person in (alice, bob):
        [said] = await person.until(lambda person=person: unasked(person))
        assert (said.text, said.attributes["lk.segment_id"]) == ("Dinner is ready.", segment)
    await perform("say", text="Yours is burnt.", to="bob")
    await bob.until(lambda: bob.received("Yours is burnt."))
    await perform("say", text="Sit down, bob.", to="bob", private=False)
    await alice.until(lambda: alice.received("Sit down, bob.") or unasked(alice)[1:])
    assert not alice.received("Yours is burnt.")
    assert unasked(alice)[-1].text == "Sit down, bob."


async def test_a_call_that_is_made_again_says_nothing_again(
    start_worker: StartWorker, enter: Enter, perform: Perform
) -> None:
    alice = await enter("alice", worker=await start_worker(app=APP))
    first = await perform("say", text="Once.", idempotencyKey="order 17")
    assert await perform("say", text="Once.", idempotencyKey="order 17") == first
    assert await perform("say", text="Twice.", idempotencyKey="order 18") != first
    said = await alice.until(lambda: [each.text for each in unasked(alice)][1:])
    assert (said, unasked(alice)[0].text) == (["Twice."], "Once.")


async def test_it_asks_with_other_instructions(
    start_worker: StartWorker, enter: Enter, perform: Perform, model: DemoModel
) -> None:
    alice = await enter("alice", worker=await start_worker(app=APP))
    told = {"instructions": "You are the desk. It is closed."}
    assert await perform("setInstructions", **told) == {"agent": "desk"}
    assert await perform("setInstructions", instructions="Count.", agent="stock")
    model.script(Reply("We are closed."), Reply("Three."), Reply("We are open."))
    await perform("ask", instruction="Say that you are closed.")
    [said] = await alice.until(lambda: unasked(alice))
    assert said.text == "We are closed."
    sent = model.requests[-1].chat.messages
    assert (sent[0].text, sent[-1].text) == (told["instructions"], "[Say that you are closed.]")
    assert await perform("handoff", agent="stock", message="They want books.") == {"agent": "stock"}
    assert (await alice.ask("How many?")).text == "Three."
    sent = model.requests[-1].chat.messages
    assert sent[0].text == "Count."
    assert any("They want books." in each.text for each in sent[1:])
    # A private conversation that begins later has them, too; null gives the agent's own back.
    await alice.ask("Hello", scope="private")
    assert model.requests[-1].chat.messages[0].text == told["instructions"]
    await perform("setInstructions", instructions=None, agent="desk")
    await alice.ask("Hello", scope="private")
    assert model.requests[-1].chat.messages[0].text == "You are the desk."


async def test_it_hands_over_to_a_livekit_agent_between_two_messages(
    start_worker: StartWorker, enter: Enter, perform: Perform, model: DemoModel
) -> None:
    alice = await enter("alice", worker=await start_worker(app=APP))
    await alice.ask("Hello")
    await perform("handoff", agent="billing")
    await alice.ask("What do I owe?")
    assert model.requests[-1].chat.messages[0].text.startswith("You are billing.")
    with pytest.raises(api.TwirpError, match="RpcError 409: billing is a livekit Agent"):
        await perform("setInstructions", instructions="Be kind.", agent="billing")


async def test_it_reads_every_thread(
    start_worker: StartWorker, enter: Enter, perform: Perform
) -> None:
    worker = await start_worker(app=APP)
    alice = await enter("alice", worker=worker)
    clerk = await enter("clerk", worker=worker, attributes=BACKEND)
    mallory = await enter("mallory", worker=worker)
    await alice.ask("Between us", scope="private")
    thread = {"thread": "private:alice"}
    [message, answer] = (await perform("getHistory", **thread))["messages"]
    assert (message["text"], answer["role"]) == ("Between us", "assistant")
    page = json.loads(await clerk.ask_method("getHistory", json.dumps(thread)))
    assert [each["id"] for each in page["messages"]] == [message["id"], answer["id"]]
    assert await code_of(mallory, "getHistory", **thread) == 404
    assert not mallory.received("Between us")


async def test_a_participant_with_the_role_is_a_backend(
    start_worker: StartWorker, enter: Enter
) -> None:
    worker = await start_worker(app=APP)
    alice = await enter("alice", worker=worker)
    clerk = await enter("clerk", worker=worker, attributes=BACKEND)
    await clerk.call("say", json.dumps({"text": "Good morning."}))
    [said] = await alice.until(lambda: unasked(alice))
    assert said.text == "Good morning."


async def test_nobody_else_is_one(
    start_worker: StartWorker,
    enter: Enter,
    room_server: RoomServerUnderTest,
    lk_api: api.LiveKitAPI,
    room_name: str,
) -> None:
    worker = await start_worker(app=APP)
    alice = await enter("alice", worker=worker, attributes={"role": "moderator"})
    # A participant who may change their own attributes could claim any role.
    mallory = await enter(
        "mallory", worker=worker, attributes=BACKEND, can_update_own_metadata=True
    )
    joining = room_server.token("alice", room_name)
    elsewhere = room_server.token("", "another", room_admin=True)
    forged = api.AccessToken("devkey", "x" * 32).with_grants(
        api.VideoGrants(room_admin=True, room=room_name)
    )
    for method, arguments in CALLS.items():
        assert await code_of(alice, method, **arguments) == 403
        assert await code_of(mallory, method, **arguments) == 403
        for token in (joining, elsewhere, forged.to_jwt(), "x"):
            assert await code_of(alice, method, **arguments, token=token) == 403
        with pytest.raises(api.TwirpError, match="RpcError 403: This takes the role backend"):
            await perform_rpc(lk_api.room, room_name, AGENT, method, json.dumps(arguments))
    assert await code_of(alice, "getHistory", thread="private:bob", token=joining) == 403
    assert (await alice.ask("Are you there?")).finish_reason == "stop"
    assert not unasked(alice)


async def test_a_participant_who_looks_like_the_servers_api_is_no_backend(
    start_worker: StartWorker, enter: Enter, room_server: RoomServerUnderTest, room_name: str
) -> None:
    """A call in the form of the server's API, by somebody whom the agent does not know."""
    if room_server.embedded is None:
        pytest.skip("the SDK chooses request ids itself; the embedded server's packets can be made")
    alice = await enter("alice", worker=await start_worker(app=APP))
    forged = models.DataPacket(
        participant_identity="2c5e4b7c",
        destination_identities=[AGENT],
        rpc_request=models.RpcRequest(
            id="2c5e4b7c",
            method="say",
            payload='{"text": "I am the backend."}',
            response_timeout_ms=5_000,
            version=1,
        ),
    )
    room_server.embedded.rooms[room_name].send_data(forged, models.DataPacket.RELIABLE)
    await alice.ask("Are you there?")
    assert not unasked(alice)


async def test_the_session_ends_after_what_waits_is_answered(
    start_worker: StartWorker, enter: Enter, perform: Perform, model: DemoModel
) -> None:
    worker = await start_worker(app=APP)
    alice = await enter("alice", worker=worker)
    told = asyncio.Event()
    model.script(Reply(tokens=["Good", "bye."], after=1, pause=told))
    await perform("ask", instruction="Say good-bye.")
    await alice.until(lambda: [each for each in alice.transcripts if each.chunks])
    assert await perform("endSession") == await perform("endSession") == {}
    told.set()
    [said] = await alice.until(lambda: unasked(alice))
    assert (said.text, said.finish_reason) == ("Goodbye.", "stop")
    await alice.until(lambda: alice.agent is None)
    await worker.host.until_left()
    assert worker.host.admission.free == worker.settings.agent_max_rooms


async def test_a_session_that_was_to_end_is_not_taken_over_once_its_worker_ends(
    start_worker: StartWorker, enter: Enter, perform: Perform, model: DemoModel
) -> None:
    worker = await start_worker(app=APP)
    alice = await enter("alice", worker=worker)
    model.script(Reply(tokens=["one ", "two"], after=1, pause=asyncio.Event()))
    asked = await alice.say("count")
    await alice.begun_answer_to(asked)
    await perform("endSession")
    await worker.server.aclose()
    await alice.until(lambda: alice.agent is None)
    await worker.host.until_left()
    history = open_history(worker.settings.database_url)
    sid = await alice.room.sid
    assert await history.leases.states(AGENT, [sid]) == {sid: LeaseState.LEFT}
    await history.aclose()


async def test_a_tool_of_the_same_name_stays(
    start_worker: StartWorker, enter: Enter, perform: Perform
) -> None:
    @tool
    async def say(what: str) -> str:
        """Say something back."""
        return what

    alice = await enter("alice", worker=await start_worker(app=App(tools=[say])))
    assert await alice.call("say", '{"what": "hello"}') == "hello"
    with pytest.raises(api.TwirpError, match="RpcError 400"):
        await perform("say", text="hello")
