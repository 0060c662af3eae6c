"""What a method answers reaches its caller alone, on the wire, whatever their client can read."""

from __future__ import annotations

import asyncio
import json

import pytest
from livekit import rtc
from livekit.protocol import models

from agent.chat.people import People
from devserver import RoomServer
from devserver.model import DemoModel, Reply
from tests.agent.chat_client import AGENT, ChatClient
from tests.agent.conftest import Enter, StartWorker
from tests.room_server import RoomServerUnderTest
from tools import TOOLS
from tools.tool import tool

MARK = "XYZZY "


@tool
def repeat_mark(size: int) -> str:
    """So many characters."""
    return (MARK * (size // len(MARK) + 1))[:size]


def embedded(room_server: RoomServerUnderTest) -> RoomServer:
    if room_server.embedded is None:
        pytest.skip("a real server keeps no record of what it forwards")
    return room_server.embedded


async def speak(server: RoomServer, room: str, alice: ChatClient, client_protocol: int) -> None:
    """Makes alice a client of this protocol, for everybody in the room."""
    participants = server.rooms[room].participants
    # A client of protocol 0 does not call by streams; the SDK does so for an agent of protocol 0.
    agent_protocol = 0 if client_protocol == 0 else 2
    participants["alice"].info.client_protocol = client_protocol
    participants[AGENT].info.client_protocol = agent_protocol
    participants[AGENT].info.attributes["told"] = "yes"
    for each in ("alice", AGENT):
        server.rooms[room].announce(participants[each])
    await alice.until(lambda: alice.agent is not None and "told" in alice.agent.attributes)


class Record:
    """What the agent sends somebody from now on, by the server's record."""

    def __init__(self, server: RoomServer, room: str, receiver: str) -> None:
        self._server = server
        self._room = room
        self._receiver = receiver
        self._before = len(self._all())

    def check(self, client_protocol: int) -> None:
        """Nothing; a client of protocol 1 is told in front of all where its answer is."""
        got = self._all()[self._before :]
        assert not [each for each in got if MARK.encode() in each.SerializeToString()]
        if client_protocol == 1:
            got = [each for each in got if not each.HasField("stream_trailer")]
            assert all(each.stream_chunk.content.startswith(b'{"packet": ') for each in got)
        else:
            assert got == []

    def _all(self) -> list[models.DataPacket]:
        return [
            each.packet
            for each in self._server.packets
            if (each.room, each.sender, each.receiver) == (self._room, AGENT, self._receiver)
        ]


@pytest.mark.parametrize("size", [10, 10_000, 100_000])
@pytest.mark.parametrize("client_protocol", [0, 1, 2])
async def test_nobody_else_gets_a_byte_of_a_tools_answer(
    enter: Enter,
    start_worker: StartWorker,
    room_server: RoomServerUnderTest,
    room_name: str,
    size: int,
    client_protocol: int,
) -> None:
    server = embedded(room_server)
    worker = await start_worker(tools=[*TOOLS, repeat_mark])
    alice, bob = await enter("alice", worker=worker), await enter("bob")
    hello = await bob.say("hello everybody")
    await bob.notice("answer.finished", inReplyTo=hello)  # All of them know each other by now.
    await speak(server, room_name, alice, client_protocol)
    record = Record(server, room_name, "bob")

    answer = await alice.ask_method("repeatMark", json.dumps({"size": size}))
    assert answer == (MARK * size)[:size]
    with pytest.raises(rtc.RpcError):
        await alice.call("riskyOperation", '{"fail": true}')
    record.check(client_protocol)


@pytest.mark.parametrize("size", [10, 10_000, 100_000])
@pytest.mark.parametrize("client_protocol", [0, 1, 2])
@pytest.mark.parametrize("thread", ["room", "private:alice"])
async def test_nobody_else_gets_a_byte_of_a_page(
    enter: Enter,
    model: DemoModel,
    room_server: RoomServerUnderTest,
    room_name: str,
    size: int,
    client_protocol: int,
    thread: str,
) -> None:
    server = embedded(room_server)
    alice, bob = await enter("alice"), await enter("bob")
    hello = await bob.say("hello everybody")
    await bob.notice("answer.finished", inReplyTo=hello)
    await speak(server, room_name, alice, client_protocol)
    model.script(Reply(text=(MARK * size)[:size]))
    if thread == "room":
        message = await alice.say("speak")
    else:
        message = await alice.say("between us", scope="private")
    await alice.notice("answer.finished", inReplyTo=message)
    record = Record(server, room_name, "bob")

    payload = json.dumps({"thread": thread, "limit": 2})
    page = json.loads(await alice.ask_method("getHistory", payload))
    assert page["messages"][-1]["text"].startswith("XYZZY")
    record.check(client_protocol)


async def test_an_answer_of_more_than_a_megabyte_is_refused(
    enter: Enter, start_worker: StartWorker
) -> None:
    alice = await enter("alice", worker=await start_worker(tools=[repeat_mark]))
    largest = json.dumps({"size": 1_048_576})
    assert len(await alice.ask_method("repeatMark", largest)) == 1_048_576
    with pytest.raises(rtc.RpcError) as caught:
        await alice.call("repeatMark", json.dumps({"size": 1_048_577}))
    assert caught.value.code == 413


async def test_who_calls_before_they_are_announced_is_answered_in_the_response(
    enter: Enter,
) -> None:
    await enter("alice")
    bob = await enter("bob")
    assert "pong" in json.loads(await bob.call("ping"))


async def test_an_answer_does_not_wait_longer_than_its_call_for_an_announcement(
    enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> bool:
        await asyncio.Event().wait()
        return True

    monkeypatch.setattr(People, "announced", never)
    alice = await enter("alice")
    assert json.loads(await alice.ask_method("getHistory"))["messages"] == []
