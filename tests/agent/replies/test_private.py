"""Private answers: to the asker alone, on the wire, as the embedded server's record shows."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from devserver import RoomServer
from devserver.model import DemoModel, Reply, tool_call
from tests.agent.chat_client import AGENT, Answer, ChatClient
from tests.agent.client_protocol import lie_about_protocol
from tests.agent.conftest import Enter, StartWorker
from tests.room_server import RoomServerUnderTest
from toolkit import tool

MARK = "XYZZY"


def private_deltas(client: ChatClient, message: str) -> list[dict[str, object]]:
    bodies = [body for topic, body in client.packets if topic == "llm-response"]
    return sorted(
        (body for body in bodies if body["inReplyTo"] == message), key=lambda body: body["seq"]
    )


async def private_answer(client: ChatClient, message: str) -> tuple[str, dict[str, object]]:
    """The text of a private answer out of its packets, and the last of them."""

    def whole() -> list[dict[str, object]]:
        deltas = private_deltas(client, message)
        return deltas if deltas and deltas[-1].get("final") else []

    deltas = await client.until(whole)
    assert [delta["seq"] for delta in deltas] == list(range(len(deltas)))
    return "".join(str(delta["text"]) for delta in deltas), deltas[-1]


def told(server: RoomServer | None, room: str, mark: str, *clients: ChatClient) -> set[str]:
    """The participants who got a packet of the agent's that contains this, in any form.

    Taken from the server's record of forwarded packets, if it keeps one; else from what clients
    received.
    """
    if server is None:
        return {client.me.identity for client in clients if client.received(mark)}
    return {
        packet.receiver
        for packet in server.packets
        if packet.room == room
        and packet.sender == AGENT
        and mark.encode() in packet.packet.SerializeToString()
    }


@pytest.mark.parametrize("size", [10, 10_000, 100_000])
@pytest.mark.parametrize("client_protocol", [1, 2])
async def test_nobody_else_gets_a_byte_of_it(
    enter: Enter,
    model: DemoModel,
    room_server: RoomServerUnderTest,
    room_name: str,
    size: int,
    client_protocol: int,
) -> None:
    alice = await enter("alice")
    bob = await enter("bob")
    await bob.ask("hello everybody")  # All participants know each other by now.
    if client_protocol < 2:
        lie_about_protocol(room_server, room_name, "alice", client_protocol)
    text = (MARK + " ") * (size // (len(MARK) + 1))
    model.script(Reply(tokens=[text[i : i + 997] for i in range(0, len(text), 997)]))
    message = await alice.say("between us", scope="private")
    answer, last = await private_answer(alice, message)

    assert answer == text
    assert last["finishReason"] == "stop"
    assert last["textLength"] == len(text)
    assert last["sha256"] == hashlib.sha256(text.encode()).hexdigest()
    await alice.notice("answer.finished", inReplyTo=message)
    if client_protocol >= 2:
        await alice.until(lambda: _joined(_private_streams(alice)) == text)
    else:
        assert _private_streams(alice) == []
    await bob.ask("anything new?")
    assert told(room_server.embedded, room_name, MARK, alice, bob) == {"alice"}
    assert bob.notices("answer.finished", inReplyTo=message) == []


def _private_streams(client: ChatClient) -> list[Answer]:
    return [answer for answer in client.answers if answer.attributes.get("scope") == "private"]


def _joined(streams: list[Answer]) -> str:
    """The final text of a client that replaces the text of a segment."""
    segments: dict[str, str] = {}
    for stream in streams:
        if stream.topic == "llm-response":
            segments[stream.attributes["lk.segment_id"]] = stream.text
    return "".join(segments.values())


async def test_a_private_packet_is_answered_by_private_packets(
    enter: Enter, model: DemoModel, room_server: RoomServerUnderTest, room_name: str
) -> None:
    alice = await enter("alice")
    bob = await enter("bob")
    await bob.ask("hello everybody")
    model.script(Reply(text=f"{MARK}, between us."))
    await alice.send_packet({"type": "chat", "id": "p1", "text": "psst", "private": True})
    chats = await alice.until(lambda: [b for _, b in alice.packets if b["type"] == "chat"])
    assert chats[0]["text"] == f"{MARK}, between us."
    await bob.ask("anything new?")
    assert told(room_server.embedded, room_name, MARK, alice, bob) == {"alice"}


async def test_private_and_public_contexts_never_mix(enter: Enter, model: DemoModel) -> None:
    alice = await enter("alice")
    await alice.ask("the public word is PUBLIC")
    private = await alice.say("the secret word is SECRET", scope="private")
    await private_answer(alice, private)
    texts = [message.text for message in model.requests[-1].chat.messages]
    assert not any("PUBLIC" in text for text in texts)
    await alice.ask("what do you know?")
    texts = [message.text for message in model.requests[-1].chat.messages]
    assert not any("SECRET" in text for text in texts)


async def test_private_threads_run_beside_the_rooms(enter: Enter, model: DemoModel) -> None:
    gate = asyncio.Event()
    model.when("slow", Reply(tokens=["so ", "slow"], after=1, pause=gate))
    alice = await enter("alice")
    bob = await enter("bob")
    slow = await alice.say("slow, please")
    await alice.begun_answer_to(slow)
    private = await bob.say("quick, please", scope="private")
    await private_answer(bob, private)
    assert alice.finished(slow) == []
    gate.set()
    assert (await alice.answer_to(slow)).text == "so slow"


async def test_tools_of_a_private_answer_stay_private(
    start_worker: StartWorker,
    enter: Enter,
    model: DemoModel,
    room_server: RoomServerUnderTest,
    room_name: str,
) -> None:
    @tool
    async def repeat(data: str) -> str:
        """Repeat something."""
        return data

    alice = await enter("alice", worker=await start_worker(tools=[repeat]))
    bob = await enter("bob")
    await bob.ask("hello everybody")
    model.script(
        Reply(tool_calls=[tool_call("repeat", f'{{"data": "{MARK}"}}')]),
        lambda request: Reply(text=f"It said: {request.tool_results[-1][1]}"),
    )
    message = await alice.say("try it", scope="private")
    answer, _ = await private_answer(alice, message)
    assert MARK in answer
    await bob.ask("anything new?")
    assert told(room_server.embedded, room_name, MARK, alice, bob) == {"alice"}
