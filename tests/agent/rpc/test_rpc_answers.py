"""A method's answer comes in the RPC response, and confidential answers reach nobody else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from livekit import api, rtc
from livekit.protocol import models

from agent.inbox.people import Directory, People
from devserver import RoomServer
from devserver.model import DemoModel, Reply
from tests.agent.chat_client import AGENT, ChatClient
from tests.agent.conftest import Enter, StartWorker
from tests.room_server import RoomServerUnderTest
from toolkit.context import ToolContext
from toolkit.tool import tool
from tools import TOOLS

MARK = "XYZZY "
PACKET_RESPONSE = 15_360
LARGEST = 1_048_576
UNKNOWN = None
"""A client whose `client_protocol` cannot be found out."""


def marks(size: int) -> str:
    return (MARK * (size // len(MARK) + 1))[:size]


@tool
def repeat_mark(size: int) -> str:
    """So many characters."""
    return marks(size)


@tool(confidential=True)
def whisper_mark(size: int) -> str:
    """So many characters, for the caller alone."""
    return marks(size)


@tool
def whisper_at_will(context: ToolContext, secretly: bool) -> str:
    """A mark, for the caller alone or not."""
    if secretly:
        context.keep_confidential()
    return MARK


@tool
def own_answer_in(answer_in: str) -> str:
    """A tool with an argument that is called as the one of all methods."""
    return answer_in


TEST_TOOLS = [*TOOLS, repeat_mark, whisper_mark, whisper_at_will, own_answer_in]


def embedded(room_server: RoomServerUnderTest) -> RoomServer:
    if room_server.embedded is None:
        pytest.skip("only the embedded server records packets and lets clients lie")
    return room_server.embedded


class Record:
    """Everything that the agent sends somebody from now on, by the server's record."""

    def __init__(self, server: RoomServer, room: str, receiver: str) -> None:
        self._server = server
        self._room = room
        self._receiver = receiver
        self._before = len(self._all())

    @property
    def packets(self) -> list[models.DataPacket]:
        return self._all()[self._before :]

    def has_mark(self) -> bool:
        return any(MARK.encode() in each.SerializeToString() for each in self.packets)

    def _all(self) -> list[models.DataPacket]:
        return [
            each.packet
            for each in self._server.packets
            if (each.room, each.sender, each.receiver) == (self._room, AGENT, self._receiver)
        ]


class Call:
    """Alice, whose client has some protocol, and bob, who must not read what is hers alone."""

    def __init__(self, alice: ChatClient, others: Record) -> None:
        self.alice = alice
        self.others = others

    async def __call__(self, method: str, **payload: object) -> str:
        return await self.alice.call(method, json.dumps(payload))

    async def fails(self, method: str, **payload: object) -> rtc.RpcError:
        with pytest.raises(rtc.RpcError) as caught:
            await self(method, **payload)
        return caught.value

    async def in_packets(self, method: str, **payload: object) -> str:
        """The answer, which has to come in packets."""
        response = await self(method, **payload)
        assert response.startswith('{"packet": ')
        return await self.alice.packets_of(response)


Arrange = Callable[..., Awaitable[Call]]


@pytest.fixture
def arrange(
    enter: Enter,
    start_worker: StartWorker,
    room_server: RoomServerUnderTest,
    room_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Arrange:
    """Brings alice, with a client of some protocol, and bob into a room."""

    async def arrange(client_protocol: int | None, **environ: str) -> Call:
        server = embedded(room_server)
        if client_protocol is None:

            async def fail(*_: object) -> models.ParticipantInfo:
                raise api.TwirpError("unavailable", "no response from servers", status=503)

            monkeypatch.setattr(Directory, "get", fail)
        worker = await start_worker(tools=TEST_TOOLS, **environ)  # pyright: ignore[reportArgumentType]  # settings, no app
        alice, bob = await enter("alice", worker=worker), await enter("bob")
        hello = await bob.say("hello everybody")
        await bob.notice("answer.finished", inReplyTo=hello)  # All know each other by now.
        if client_protocol is not None:
            await _speak(server, room_name, alice, client_protocol)
        return Call(alice, Record(server, room_name, "bob"))

    return arrange


async def _speak(server: RoomServer, room: str, alice: ChatClient, client_protocol: int) -> None:
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


class TestTheResponseIsTheAnswer:
    @pytest.mark.parametrize("client_protocol", [0, 1, 2, UNKNOWN])
    async def test_for_every_client(self, arrange: Arrange, client_protocol: int | None) -> None:
        call = await arrange(client_protocol)
        for size in (10, 10_000, PACKET_RESPONSE):
            assert await call("repeatMark", size=size) == marks(size)
        assert json.loads(await call("getHistory"))["messages"][0]["text"] == "hello everybody"
        assert json.loads(await call("listThreads"))["threads"]
        assert "packet" not in await call("getSummary")

    @pytest.mark.parametrize("client_protocol", [1, 2, UNKNOWN])
    async def test_of_any_length_to_a_caller_that_uses_streams(
        self, arrange: Arrange, client_protocol: int | None
    ) -> None:
        call = await arrange(client_protocol)
        for size in (PACKET_RESPONSE + 1, 100_000, LARGEST):
            assert await call("repeatMark", size=size) == marks(size)

    async def test_beyond_a_packets_size_old_clients_get_instructions(
        self, arrange: Arrange
    ) -> None:
        call = await arrange(0)
        error = await call.fails("repeatMark", size=PACKET_RESPONSE + 1)
        assert error.code == 413
        assert "ask for packets" in error.message
        size = PACKET_RESPONSE + 1
        assert await call.in_packets("repeatMark", size=size, answerIn="packets") == marks(size)

    async def test_for_a_caller_who_is_not_announced_yet(
        self, enter: Enter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def never(*_: object) -> bool:
            await asyncio.Event().wait()
            return True

        monkeypatch.setattr(People, "announced", never)
        await enter("alice")
        bob = await enter("bob")
        assert "pong" in json.loads(await bob.call("ping"))
        assert "messages" in json.loads(await bob.call("getHistory"))

    async def test_an_answer_of_more_than_a_megabyte_is_refused(
        self, enter: Enter, start_worker: StartWorker
    ) -> None:
        alice = await enter("alice", worker=await start_worker(tools=[repeat_mark]))
        largest = json.dumps({"size": LARGEST})
        assert len(await alice.call("repeatMark", largest)) == LARGEST
        with pytest.raises(rtc.RpcError) as caught:
            await alice.call("repeatMark", json.dumps({"size": LARGEST + 1}))
        assert caught.value.code == 413


class TestPacketsForWhoAsks:
    @pytest.mark.parametrize("size", [10, 100_000])
    async def test_any_answer_comes_in_packets(
        self, enter: Enter, start_worker: StartWorker, size: int
    ) -> None:
        alice = await enter("alice", worker=await start_worker(tools=TEST_TOOLS))
        payload = json.dumps({"size": size, "answerIn": "packets"})
        response = await alice.call("repeatMark", payload)
        assert json.loads(response).keys() == {"packet", "parts"}
        assert await alice.packets_of(response) == marks(size)

    async def test_the_response_can_be_asked_for_by_name(self, enter: Enter) -> None:
        alice = await enter("alice")
        assert "pong" in json.loads(await alice.call("ping", '{"answerIn": "response"}'))

    @pytest.mark.parametrize("form", ["post", 1, None])
    async def test_another_form_is_refused(self, enter: Enter, form: object) -> None:
        alice = await enter("alice")
        with pytest.raises(rtc.RpcError) as caught:
            await alice.call("ping", json.dumps({"answerIn": form}))
        assert caught.value.code == 400
        assert "answerIn" in json.loads(caught.value.data or "")["fields"]

    async def test_a_tools_own_argument_of_that_name_is_its_own(
        self, enter: Enter, start_worker: StartWorker
    ) -> None:
        alice = await enter("alice", worker=await start_worker(tools=TEST_TOOLS))
        assert await alice.call("ownAnswerIn", '{"answerIn": "packets"}') == "packets"


class TestConfidentialAnswers:
    @pytest.mark.parametrize("client_protocol", [0, 1, 2, UNKNOWN])
    async def test_nobody_else_gets_a_byte(
        self, arrange: Arrange, client_protocol: int | None
    ) -> None:
        call = await arrange(client_protocol)
        for size in (10, 10_000, 15_000, 100_000):
            if client_protocol == 0 and size > PACKET_RESPONSE:
                assert (await call.fails("whisperMark", size=size)).code == 413
            elif client_protocol == 0 or (client_protocol == 2 and size <= 14_000):
                assert await call("whisperMark", size=size) == marks(size)
            else:
                assert await call.in_packets("whisperMark", size=size) == marks(size)
            assert (await call.fails("riskyOperation", fail=True)).code == 500
            assert not call.others.has_mark(), size

    @pytest.mark.parametrize("client_protocol", [0, 1, 2])
    async def test_messages_of_a_private_thread(
        self, arrange: Arrange, model: DemoModel, client_protocol: int
    ) -> None:
        call = await arrange(client_protocol)
        model.script(Reply(text=marks(10_000)))
        message = await call.alice.say("between us", scope="private")
        await call.alice.notice("answer.finished", inReplyTo=message)
        model.script(Reply(text=marks(100)))  # the summary's source
        read = call.in_packets if client_protocol == 1 else call
        private = {"thread": "private:alice"}
        page = json.loads(await read("getHistory", **private))
        answer = page["messages"][-1]
        assert answer["text"] == marks(10_000)
        one = json.loads(await read("getMessage", messageId=answer["id"], **private))
        assert one["text"] == marks(10_000)
        assert json.loads(await read("getSummary", **private))["thread"] == "private:alice"
        threads = json.loads(await read("listThreads"))["threads"]
        assert [each["id"] for each in threads] == ["room", "private:alice"]
        exported = json.loads(await read("exportTranscript", **private))
        assert exported["name"] == "transcript.md"
        assert not call.others.has_mark()
        # The room's thread is everybody's.
        assert "hello everybody" in await call("getHistory")

    async def test_a_tool_may_know_only_later(self, arrange: Arrange) -> None:
        call = await arrange(1)
        assert await call("whisperAtWill", secretly=False) == MARK
        assert await call.in_packets("whisperAtWill", secretly=True) == MARK

    async def test_an_answer_does_not_wait_longer_than_its_call_for_an_announcement(
        self, enter: Enter, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def never(*_: object) -> bool:
            await asyncio.Event().wait()
            return True

        monkeypatch.setattr(People, "announced", never)
        alice = await enter("alice", worker=await start_worker(tools=TEST_TOOLS))
        assert await alice.ask_method("whisperMark", '{"size": 10}') == marks(10)


class TestTheStrictSetting:
    @pytest.mark.parametrize("client_protocol", [0, 1, 2, UNKNOWN])
    async def test_nobody_else_gets_a_byte_of_any_answer(
        self, arrange: Arrange, client_protocol: int | None
    ) -> None:
        call = await arrange(client_protocol, RPC_ANSWERS="private")
        for size in (10, 10_000, 100_000):
            answer = await call.alice.ask_method("repeatMark", json.dumps({"size": size}))
            assert answer == marks(size)
            assert not call.others.has_mark(), size
        assert "hello" in await call.alice.ask_method("getHistory")
        assert not any(b"hello" in each.SerializeToString() for each in call.others.packets)
