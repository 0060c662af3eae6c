"""Methods called by a backend, with RoomService.PerformRpc: its caller is nobody in the room."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from datetime import datetime

import aiohttp
import pytest
from livekit import rtc
from livekit.protocol import models

from agent.rpc.rpc_call import is_server_api
from tests.agent.chat_client import AGENT
from tests.agent.conftest import Enter, StartWorker
from tests.devserver.twirp_client import Answer, TwirpClient
from tests.room_server import RoomServerUnderTest
from toolkit.context import ToolContext
from toolkit.permission import role
from toolkit.tool import tool
from tools import TOOLS

LONGEST = 15_360


@tool
def fill(size: int) -> str:
    """So many characters."""
    return "x" * size


@tool(confidential=True)
def whisper() -> str:
    """Something for the caller alone."""
    return "secret"


@tool(allow=role("moderator"))
def for_moderators() -> str:
    """Something for moderators."""
    return "done"


@tool
def who_calls(context: ToolContext) -> dict[str, object]:
    """Tell who calls."""
    assert context.caller is not None
    caller = context.caller
    return {"vouched": caller.vouched, "name": caller.name, "attributes": dict(caller.attributes)}


TEST_TOOLS = [*TOOLS, fill, whisper, for_moderators, who_calls]


class Backend:
    """An app's backend, as it uses the agent of one room."""

    def __init__(self, room: str, twirp: TwirpClient) -> None:
        self._room = room
        self._twirp = twirp

    async def perform(self, method: str, payload: str = "") -> Answer:
        return await self._twirp.call(
            "RoomService/PerformRpc",
            {
                "room": self._room,
                "destination_identity": AGENT,
                "method": method,
                "payload": payload,
            },
        )

    async def ask(self, method: str, **arguments: object) -> str:
        answer = await self.perform(method, json.dumps(arguments))
        assert answer.status == 200, answer
        return answer.body["payload"]

    async def fails(self, method: str, **arguments: object) -> str:
        """The server's text of the error."""
        answer = await self.perform(method, json.dumps(arguments))
        assert answer.error[:2] == (500, "internal")
        return answer.error[2]


@pytest.fixture
async def backend(room_server: RoomServerUnderTest, room_name: str) -> AsyncGenerator[Backend]:
    async with aiohttp.ClientSession() as http:
        yield Backend(room_name, TwirpClient(room_server, http))


@pytest.mark.parametrize("policy", ["response", "private"])
async def test_the_answer_is_the_response(
    enter: Enter, start_worker: StartWorker, backend: Backend, policy: str
) -> None:
    worker = await start_worker(tools=TEST_TOOLS, RPC_ANSWERS=policy)
    alice = await enter("alice", worker=worker)
    assert datetime.fromisoformat(await backend.ask("getCurrentTime")).tzinfo is not None
    assert await backend.ask("fill", size=LONGEST) == "x" * LONGEST
    assert await backend.ask("whisper") == "secret"
    await alice.ask("hello")
    said = json.loads(await backend.ask("getHistory"))["messages"]
    assert said[0]["text"] == "hello"


async def test_errors_say_what_is_wrong(
    enter: Enter, start_worker: StartWorker, backend: Backend
) -> None:
    await enter("alice", worker=await start_worker(tools=TEST_TOOLS))
    assert "RpcError 413" in await backend.fails("fill", size=LONGEST + 1)
    assert "RpcError 400" in await backend.fails("fill", size="much")
    refused = await backend.fails("ping", answerIn="packets")
    assert "RpcError 400: The server API gets answers only in the response" in refused
    assert (await backend.perform("noSuchMethod")).error[:2] == (400, "invalid_argument")


async def test_it_has_no_role_and_no_private_thread(
    enter: Enter, start_worker: StartWorker, backend: Backend
) -> None:
    alice = await enter("alice", worker=await start_worker(tools=TEST_TOOLS))
    await alice.ask("between us", scope="private")
    assert json.loads(await backend.ask("whoCalls")) == {
        "vouched": False,
        "name": "",
        "attributes": {},
    }
    assert "RpcError 403" in await backend.fails("forModerators")
    assert "RpcError 403" in await backend.fails("deleteThread", thread="room")
    assert "RpcError 404" in await backend.fails("getHistory", thread="private:alice")
    assert "RpcError 503" in await backend.fails("exportTranscript")
    threads = json.loads(await backend.ask("listThreads"))["threads"]
    assert "private:alice" not in [each["id"] for each in threads]


async def test_all_its_calls_under_way_count_together(
    enter: Enter, start_worker: StartWorker, backend: Backend
) -> None:
    opened = asyncio.Event()
    begun = asyncio.Semaphore(0)

    @tool
    async def wait_for_gate() -> str:
        """Wait."""
        begun.release()
        await opened.wait()
        return "open"

    worker = await start_worker(tools=[*TOOLS, wait_for_gate], MAX_RPC_CALLS="2")
    alice = await enter("alice", worker=worker)
    waiting = [asyncio.create_task(backend.ask("waitForGate")) for _ in range(2)]
    for _ in waiting:
        await begun.acquire()
    assert "RpcError 429" in await backend.fails("ping")
    assert "pong" in await alice.call("ping")
    opened.set()
    assert await asyncio.gather(*waiting) == ["open", "open"]


async def test_a_participant_cannot_pass_for_it(
    enter: Enter, room_server: RoomServerUnderTest, room_name: str
) -> None:
    """Mallory's request id is of her choosing: her identity, as the server's calls have it."""
    if room_server.embedded is None:
        pytest.skip("the SDK chooses request ids itself; the embedded server's packets can be made")
    mallory = await enter("mallory")
    forged = models.DataPacket(
        participant_identity="mallory",
        destination_identities=[AGENT],
        rpc_request=models.RpcRequest(
            id="mallory",
            method="ping",
            payload='{"answerIn": "packets"}',
            response_timeout_ms=5_000,
            version=1,
        ),
    )
    room_server.embedded.rooms[room_name].send_data(forged, models.DataPacket.RELIABLE)
    # The server API would be refused packets.
    await mallory.until(lambda: [body for topic, body in mallory.packets if topic == "rpc"])


async def test_calls_of_the_server_api_have_a_recognisable_form(enter: Enter) -> None:
    alice = await enter("alice")

    def call(request_id: str, caller: str) -> bool:
        invocation = rtc.RpcInvocationData(request_id, caller, "", 10.0)
        return is_server_api(invocation, alice.room)

    assert call("2c5e4b7c", "2c5e4b7c")
    assert not call("2c5e4b7c", "mallory")
    assert not call(AGENT, AGENT)  # is in the room
    assert not call("", "")  # a hidden participant, whose calls the server leaves without a name
