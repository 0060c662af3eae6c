"""Joining, being asked to join, metadata, and the end of a room."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from collections.abc import Callable
from typing import Any, cast

import pytest
from livekit import api, rtc
from livekit.rtc.participant import RpcHandler
from pydantic import BaseModel

from agent.host import room_host
from agent.room.room_session import RoomSession
from devserver.model import DemoModel, Reply
from tests.agent.chat_client import ChatClient
from tests.agent.conftest import Enter, StartWorker
from tests.conftest import Join
from tests.devserver.dispatches import dispatch
from tests.room_server import RoomServerUnderTest
from toolkit import signature


async def test_automatic_dispatch_without_a_name(
    start_worker: StartWorker, room_server: RoomServerUnderTest, room_name: str
) -> None:
    await start_worker(AGENT_NAME="")
    client = ChatClient()
    await client.room.connect(room_server.url, room_server.token("alice", room_name))
    await client.until_ready()
    assert (await client.ask("hello")).finish_reason == "stop"
    await client.room.disconnect()


async def test_further_rooms_share_what_their_methods_take(
    start_worker: StartWorker, enter: Enter, room_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model of its parameters takes milliseconds and memory: once for each method."""
    worker = await start_worker()
    await enter("alice", worker=worker)
    made: list[str] = []
    create_model = signature.create_model

    def create(name: str, **fields: object) -> type[BaseModel]:
        made.append(name)
        return create_model(name, **cast("dict[str, Any]", fields))

    monkeypatch.setattr(signature, "create_model", create)

    second = await enter("bob", worker=worker, room=f"{room_name}-2")

    assert second.agent is not None
    assert "getHistory" in second.agent.attributes["agent.ready"]
    assert made == []


async def test_rooms_that_were_left_are_freed(
    enter: Enter, lk_api: api.LiveKitAPI, room_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the collector would not look for them yet."""
    loop, freed = asyncio.get_running_loop(), asyncio.Event()
    run = RoomSession.run
    watches: list[weakref.finalize[..., RoomSession]] = []

    async def watched(session: RoomSession, **told: Callable[[], None]) -> None:
        watches.append(weakref.finalize(session, loop.call_soon_threadsafe, freed.set))
        await run(session, **told)

    monkeypatch.setattr(room_host, "COLLECTED_AFTER", 2)
    monkeypatch.setattr(RoomSession, "run", watched)
    gc.collect()
    gc.disable()
    try:
        await enter("alice")
        await enter("alice", room=f"{room_name}-2")

        for room in (room_name, f"{room_name}-2"):
            await lk_api.room.delete_room(api.DeleteRoomRequest(room=room))

        async with asyncio.timeout(20):
            # The one that is left last may still be in use when the garbage is looked for.
            await freed.wait()
    finally:
        gc.enable()
        for watch in watches:
            watch.detach()


async def test_dispatch_by_api_with_a_name(
    start_worker: StartWorker,
    room_server: RoomServerUnderTest,
    room_name: str,
    lk_api: api.LiveKitAPI,
) -> None:
    worker = await start_worker()
    client = ChatClient()
    await client.room.connect(room_server.url, room_server.token("alice", room_name))
    assert client.agent is None
    await dispatch(lk_api, room_name, worker.name)
    await client.until_ready()
    await client.room.disconnect()


async def test_the_agent_is_an_agent_with_the_identity_that_clients_expect(enter: Enter) -> None:
    alice = await enter("alice")
    assert alice.agent is not None
    assert alice.agent.identity == "agent"
    assert alice.agent.name == "Agent"
    assert alice.agent.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT


async def test_the_agent_says_what_it_is_doing(enter: Enter, model: DemoModel) -> None:
    thinking, speaking = asyncio.Event(), asyncio.Event()
    model.script(
        Reply(tokens=["one ", "two"], after=0, pause=thinking),
        Reply(tokens=["one ", "two"], after=1, pause=speaking),
    )
    alice = await enter("alice")

    def state() -> str:
        return alice.agent.attributes["lk.agent.state"] if alice.agent else ""

    assert state() == "listening"
    first, second = await alice.say("hello"), await alice.say("hello again")
    await alice.until(lambda: state() == "thinking")
    thinking.set()
    await alice.answer_to(first)
    await alice.until(lambda: state() == "speaking")
    speaking.set()
    await alice.answer_to(second)
    await alice.until(lambda: state() == "listening")
    assert alice.states[-3:] == ["thinking", "speaking", "listening"]


async def test_dispatch_metadata_changes_this_room(enter: Enter, model: DemoModel) -> None:
    metadata = """{"instructions": "Speak like a pirate.", "language": "French",
        "tools": ["ping", "getCurrentTime", "nonsense"], "unknown": 1, "replyPolicy": 5}"""
    alice = await enter("alice", metadata=metadata)
    await alice.ask("hello")
    instructions = model.requests[-1].chat.messages[0].text
    assert instructions.startswith("Speak like a pirate.")
    assert "French" in instructions
    assert model.requests[-1].chat.offered_tools == {"getCurrentTime"}
    assert alice.agent is not None
    ready = alice.agent.attributes["agent.ready"].split(",")
    assert "ping" in ready
    assert "getWeather" not in ready


async def test_dispatch_metadata_outweighs_room_metadata(
    enter: Enter,
    model: DemoModel,
    lk_api: api.LiveKitAPI,
    room_name: str,
    start_worker: StartWorker,
) -> None:
    worker = await start_worker()
    await lk_api.room.create_room(
        api.CreateRoomRequest(
            name=room_name, metadata='{"language": "German", "instructions": "From the room."}'
        )
    )
    await lk_api.agent_dispatch.create_dispatch(
        api.CreateAgentDispatchRequest(
            agent_name=worker.name, room=room_name, metadata='{"language": "French"}'
        )
    )
    alice = await enter("alice", worker=worker)
    await alice.ask("hello")
    instructions = model.requests[-1].chat.messages[0].text
    assert instructions.startswith("From the room.")
    assert "French" in instructions


@pytest.mark.parametrize("metadata", ["not JSON", "[]", "5", '"text"'])
async def test_metadata_of_the_apps_own_is_left_alone(enter: Enter, metadata: str) -> None:
    alice = await enter("alice", metadata=metadata)
    assert (await alice.ask("hello")).finish_reason == "stop"


async def test_mention_policy(enter: Enter, model: DemoModel) -> None:
    model.script(Reply(text="Yes, Bob?"))
    alice = await enter("alice", metadata='{"replyPolicy": "mention"}')
    bob = await enter("bob")
    await alice.say("bob, did you see the game?")
    called = await bob.ask("Agent, who won?")
    assert called.text == "Yes, Bob?"
    texts = [message.text for message in model.requests[0].chat.messages]
    assert texts[-2:] == ["alice: bob, did you see the game?", "bob: Agent, who won?"]
    await bob.ask("and by how much?", in_reply_to=called.attributes["lk.segment_id"])
    assert len(model.requests) == 2


async def test_the_room_is_deleted(
    start_worker: StartWorker, enter: Enter, lk_api: api.LiveKitAPI, room_name: str
) -> None:
    worker = await start_worker()
    alice = await enter("alice", worker=worker)
    await alice.ask("hello")
    await lk_api.room.delete_room(api.DeleteRoomRequest(room=room_name))
    async with asyncio.timeout(20):
        await worker.host.until_left()
    assert worker.host.admission.load() == 0


@pytest.fixture
def methods(monkeypatch: pytest.MonkeyPatch) -> tuple[set[str], set[str]]:
    """Names of the agent's RPC methods: those that the native library was given, and those of them
    that it still has."""
    given, kept = set[str](), set[str]()
    register = rtc.LocalParticipant.register_rpc_method
    unregister = rtc.LocalParticipant.unregister_rpc_method

    def add(me: rtc.LocalParticipant, name: str, handler: RpcHandler) -> object:
        if me.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT:
            given.add(name)
            kept.add(name)
        return register(me, name, handler)

    def remove(me: rtc.LocalParticipant, name: str) -> None:
        unregister(me, name)  # Raises if the native library does not know the participant.
        if me.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT:
            kept.remove(name)

    monkeypatch.setattr(rtc.LocalParticipant, "register_rpc_method", add)
    monkeypatch.setattr(rtc.LocalParticipant, "unregister_rpc_method", remove)
    return given, kept


@pytest.mark.parametrize("end", ["room deleted", "agent removed", "worker stopped"])
async def test_however_a_stay_ends_its_methods_do_not_keep_the_room_in_memory(
    methods: tuple[set[str], set[str]],
    start_worker: StartWorker,
    enter: Enter,
    lk_api: api.LiveKitAPI,
    room_name: str,
    end: str,
) -> None:
    given, kept = methods
    worker = await start_worker()
    alice = await enter("alice", worker=worker)
    assert await alice.call("ping")
    assert "ping" in given
    assert kept == given
    match end:
        case "room deleted":
            await lk_api.room.delete_room(api.DeleteRoomRequest(room=room_name))
        case "agent removed":
            agent = api.RoomParticipantIdentity(room=room_name, identity="agent")
            await lk_api.room.remove_participant(agent)
        case _:
            await worker.server.aclose()
    async with asyncio.timeout(20):
        await worker.host.until_left()
    assert kept == set()


async def test_a_worker_that_stops_leaves_its_rooms(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker()
    alice = await enter("alice", worker=worker)
    model.script(Reply(tokens=["a ", "story"], after=1, pause=asyncio.Event()))
    message = await alice.say("tell me a story")
    await alice.begun_answer_to(message)
    await alice.send_packet({"type": "chat", "id": "waiting", "text": "and another one"})
    await alice.call("ping")  # Everything sent before it has arrived, too.
    await worker.server.aclose()
    assert (await alice.answer_to(message)).finish_reason == "interrupted"
    assert (await alice.notice("error", code=503))["messageIds"] == ["waiting"]
    await alice.until(lambda: alice.agent is None)


async def test_two_rooms_at_once_keep_apart(
    start_worker: StartWorker, room_server: RoomServerUnderTest, join: Join, model: DemoModel
) -> None:
    worker = await start_worker()
    clients: list[ChatClient] = []
    for room in (f"{worker.name}-a", f"{worker.name}-b"):
        client = ChatClient()
        token = room_server.access_token("alice", room).with_room_config(
            api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name=worker.name)])
        )
        await client.room.connect(room_server.url, token.to_jwt())
        await client.until_ready()
        clients.append(client)
    await asyncio.gather(*(c.ask(f"I am number {i}") for i, c in enumerate(clients)))
    assert [len(c.answered()) for c in clients] == [1, 1]
    for client in clients:
        await client.room.disconnect()
    assert all(len(request.chat.messages) == 2 for request in model.requests)


async def test_describe_tools_tells_of_the_rooms_tools_only(enter: Enter) -> None:
    alice = await enter("alice", metadata='{"tools": ["ping", "describeTools"]}')
    described = json.loads(await alice.call("describeTools"))["tools"]
    assert [tool["name"] for tool in described] == ["ping", "describeTools"]
