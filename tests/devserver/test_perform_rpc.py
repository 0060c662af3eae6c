"""RPC calls by the server's API: what the participant gets, what the backend is answered."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from livekit import rtc

if TYPE_CHECKING:
    from tests.conftest import Join
    from tests.devserver.twirp_client import Answer, TwirpClient

LONGEST = 15_360
WITHIN = 20.0


class Callee:
    """A participant with methods, and a backend that calls them."""

    def __init__(self, room: rtc.Room, name: str, twirp: TwirpClient) -> None:
        self.room = room
        self._name = name
        self._twirp = twirp
        self.calls: list[rtc.RpcInvocationData] = []
        self.called = asyncio.Event()
        for method in (self.echo, self.repeat, self.refuse, self.hang, self.leave):
            room.local_participant.register_rpc_method(method.__name__, method)

    async def perform(self, method: str, payload: str = "", timeout_ms: int = 0) -> Answer:
        return await self._twirp.call(
            "RoomService/PerformRpc",
            {
                "room": self._name,
                "destination_identity": "callee",
                "method": method,
                "payload": payload,
                "response_timeout_ms": timeout_ms,
            },
        )

    async def echo(self, call: rtc.RpcInvocationData) -> str:
        self.calls.append(call)
        return call.payload

    async def repeat(self, call: rtc.RpcInvocationData) -> str:
        return "x" * int(call.payload)

    async def refuse(self, call: rtc.RpcInvocationData) -> str:
        raise rtc.RpcError(int(call.payload), "refused", "with data")

    async def hang(self, call: rtc.RpcInvocationData) -> str:
        self.calls.append(call)
        self.called.set()
        await asyncio.Event().wait()
        return ""

    async def leave(self, call: rtc.RpcInvocationData) -> str:
        del call
        # Not awaited: the SDK waits for its handlers before it disconnects.
        self.leaving = asyncio.create_task(self.room.disconnect())
        await asyncio.Event().wait()
        return ""


@pytest.fixture
async def callee(join: Join, room_name: str, twirp: TwirpClient) -> Callee:
    callee = Callee(await join("callee"), room_name, twirp)
    # A real server may learn of the media connection a moment later than the client.
    async with asyncio.timeout(WITHIN):
        while (await callee.perform("echo")).status == 500:
            pass
    callee.calls.clear()
    return callee


async def test_the_answer_is_the_response(callee: Callee) -> None:
    answer = await callee.perform("echo", "hello")
    assert answer == (200, "application/json", {"payload": "hello"})


async def test_the_caller_has_the_calls_own_identity_and_is_not_in_the_room(
    callee: Callee, room_name: str, twirp: TwirpClient
) -> None:
    for _ in range(2):
        assert (await callee.perform("echo")).status == 200
    first, second = callee.calls
    assert first.caller_identity == first.request_id
    assert second.caller_identity == second.request_id
    assert first.caller_identity != second.caller_identity
    looked_up = {"room": room_name, "identity": first.caller_identity}
    assert (await twirp.call("RoomService/GetParticipant", looked_up)).status == 404


async def test_the_longest_payload_and_answer(callee: Callee) -> None:
    assert (await callee.perform("echo", "x" * LONGEST)).body == {"payload": "x" * LONGEST}


@pytest.mark.parametrize(
    ("method", "payload", "error"),
    [
        ("nonsense", "", (400, "invalid_argument", "1400: Method not supported at destination")),
        ("echo", "x" * (LONGEST + 1), (400, "invalid_argument", "1402: Request payload too large")),
        ("repeat", str(LONGEST + 1), (500, "internal", "1504: Response payload too large")),
        ("refuse", "4711", (500, "internal", "4711: refused: with data")),
        ("refuse", "404", (500, "internal", "404: refused: with data")),
        ("refuse", "1401", (404, "not_found", "1401: refused: with data")),
        ("refuse", "1403", (501, "unimplemented", "1403: refused: with data")),
        ("refuse", "1404", (501, "unimplemented", "1404: refused: with data")),
        ("refuse", "1500", (500, "internal", "1500: refused: with data")),
        ("refuse", "1501", (408, "canceled", "1501: refused: with data")),
        ("refuse", "1503", (503, "unavailable", "1503: refused: with data")),
        ("refuse", "1505", (500, "internal", "1505: refused: with data")),
    ],
)
async def test_an_error_of_the_participants(
    callee: Callee, method: str, payload: str, error: tuple[int, str, str]
) -> None:
    status, code, message = error
    answer = await callee.perform(method, payload)
    assert answer.error == (status, code, f"twirp error unknown: RpcError {message}")


async def test_no_response_in_the_time_that_the_backend_gives(callee: Callee) -> None:
    answer = await callee.perform("hang", timeout_ms=500)
    assert answer.error == (408, "canceled", "twirp error unknown: RpcError 1502: Response timeout")
    assert len(callee.calls) == 1


async def test_a_call_without_an_answer_is_made_again(callee: Callee) -> None:
    performed = asyncio.create_task(callee.perform("hang", timeout_ms=60_000))
    await callee.called.wait()
    callee.called.clear()
    await callee.called.wait()  # After three seconds.
    first, second = callee.calls
    assert first.request_id != second.request_id
    performed.cancel()
    await asyncio.gather(performed, return_exceptions=True)


async def test_a_participant_who_leaves(callee: Callee) -> None:
    answer = await callee.perform("leave")
    # The next attempt finds nobody; in livekit-server nobody may be left even to say so.
    assert answer.error in (
        (404, "not_found", "twirp error unknown: participant does not exist"),
        (503, "unavailable", "twirp error unknown: no response from servers"),
    )
    await callee.leaving


async def test_acks_and_responses_of_participants_calls_go_on(join: Join, callee: Callee) -> None:
    caller = await join("caller")
    backend = asyncio.create_task(callee.perform("echo", "b"))
    own = await caller.local_participant.perform_rpc(
        destination_identity="callee", method="echo", payload="a"
    )
    assert (own, (await backend).body) == ("a", {"payload": "b"})
