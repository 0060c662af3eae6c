"""Limits in rooms: a participant over a limit is refused, and everybody else notices nothing."""

from __future__ import annotations

import asyncio
import json

import pytest
from livekit import rtc

from agent.room.room_profile import RoomProfile
from devserver.model import DemoModel, Reply, tool_call
from tests.agent.chat_client import ChatClient
from tests.agent.conftest import Enter, StartWorker
from tests.agent.files.test_files_in import history, send
from tests.agent.replies.test_private import private_answer, private_deltas


async def refused(client: ChatClient, message: str) -> dict[str, object]:
    notice = await client.notice("error", messageIds=[message])
    assert notice["code"] == 429
    assert notice["retryAfter"] > 0
    return notice


async def is_answered_privately(client: ChatClient) -> bool:
    """Asks in private; whether that is answered, and not refused."""
    message = await client.say("psst", scope="private")
    await client.until(
        lambda: client.notices("error", messageIds=[message]) or private_deltas(client, message)
    )
    return bool(private_deltas(client, message))


async def test_messages_over_the_limit_are_refused_to_their_sender(
    start_worker: StartWorker, enter: Enter
) -> None:
    worker = await start_worker(PARTICIPANT_MESSAGES="2/minute")
    alice = await enter("alice", worker=worker)
    bob = await enter("bob")
    for _ in range(2):
        assert (await alice.ask("hello")).finish_reason == "stop"
    await refused(alice, await alice.say("once more"))
    assert (await bob.ask("hello")).finish_reason == "stop"
    assert worker.host.services.limits.counters.used["messages"] == 3
    assert worker.host.services.limits.counters.refused["messages", "participant"] == 1


async def test_bytes_of_messages_and_files_count_together(
    start_worker: StartWorker, enter: Enter
) -> None:
    worker = await start_worker(PARTICIPANT_BYTES="1000/hour", PARTICIPANT_FILES="2/hour")
    alice = await enter("alice", worker=worker)
    await alice.ask("x" * 400)
    await send(alice, b"y" * 500, name="small.txt")
    await alice.notice("file.received", name="small.txt")
    await send(alice, b"y" * 500, name="large.txt")
    over = await alice.notice("file.refused", name="large.txt")
    assert (over["code"], over["retryAfter"] > 0) == (429, True)
    await send(alice, b"z", name="third.txt")
    assert (await alice.notice("file.refused", name="third.txt"))["code"] == 429
    await refused(alice, await alice.say("one more word"))
    kinds = {key[0] for key in worker.host.services.limits.counters.refused}
    assert kinds == {"bytes", "files"}


async def test_rpc_calls_over_the_limit_say_when_to_come_back(
    start_worker: StartWorker, enter: Enter
) -> None:
    worker = await start_worker(PARTICIPANT_RPC_CALLS="2/minute")
    alice = await enter("alice", worker=worker)
    bob = await enter("bob")
    for _ in range(2):
        await alice.call("ping")
    with pytest.raises(rtc.RpcError) as error:
        await alice.call("ping")
    assert error.value.code == 429
    assert 0 < json.loads(error.value.data or "")["retryAfter"] <= 60
    await bob.call("ping")


async def test_the_model_learns_that_there_were_too_many_tool_calls(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(ROOM_TOOL_CALLS="1/minute")
    alice = await enter("alice", worker=worker)
    calls = [tool_call("ping", call_id="1"), tool_call("ping", call_id="2")]
    model.script(Reply(tool_calls=calls), Reply("Done."))
    assert (await alice.ask("ping twice")).text == "Done."
    results = [result for _, result in model.requests[-1].chat.tool_results]
    assert ["limit of tool calls" in each for each in results] == [False, True]


async def test_a_room_that_has_used_its_tokens_is_refused_until_midnight(
    start_worker: StartWorker, enter: Enter, model: DemoModel, room_name: str
) -> None:
    worker = await start_worker(ROOM_TOKENS_OUT="5")
    alice = await enter("alice", worker=worker)
    gate = asyncio.Event()
    model.script(Reply(tokens=["one ", "two ", "three ", "four ", "five"], after=1, pause=gate))
    first, second = await alice.say("hello"), await alice.say("and another")
    await alice.begun_answer_to(first)
    async with asyncio.timeout(20):
        while second not in {each["id"] for each in await history(alice)}:
            pass
    gate.set()
    assert (await alice.answer_to(first)).finish_reason == "stop"
    spent = await alice.answer_to(second)
    assert spent.finish_reason == "error"
    assert "used up its tokens of today" in spent.text
    notice = await refused(alice, await alice.say("once more"))
    assert "midnight" in str(notice["text"])


async def test_another_worker_goes_on_with_the_tokens_of_the_tenant(
    start_worker: StartWorker, enter: Enter, model: DemoModel, room_name: str
) -> None:
    worker = await start_worker(TENANT_TOKENS_OUT="5")
    acme = json.dumps({"tenant": "acme"})
    alice = await enter("alice", worker=worker, metadata=acme)
    model.script(Reply(tokens=["one ", "two ", "three ", "four ", "five"]))
    assert (await alice.ask("hello")).finish_reason == "stop"
    await alice.room.disconnect()
    await worker.server.aclose()
    other = await start_worker(TENANT_TOKENS_OUT="5", DATABASE_URL=worker.settings.database_url)
    again = await enter("alice", worker=other, room=f"{room_name}-2", metadata=acme)
    spent = await again.ask("hello again")
    assert spent.finish_reason == "error"
    assert "tokens of today are used up" in spent.text


async def test_only_so_many_private_conversations_are_open(
    start_worker: StartWorker, enter: Enter
) -> None:
    worker = await start_worker(ROOM_PRIVATE_CONVERSATIONS="1")
    alice = await enter("alice", worker=worker)
    bob = await enter("bob")
    await private_answer(alice, await alice.say("psst", scope="private"))
    await refused(bob, await bob.say("psst", scope="private"))
    assert (await bob.ask("aloud")).finish_reason == "stop"
    await alice.room.disconnect()
    await bob.until(lambda: "alice" not in bob.room.remote_participants)
    async with asyncio.timeout(20):
        while not await is_answered_privately(bob):
            pass


async def test_only_so_many_conversations_are_answered_at_once(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(ROOM_ANSWERS="1")
    alice = await enter("alice", worker=worker)
    bob = await enter("bob")
    gate = asyncio.Event()
    model.script(Reply(tokens=["so ", "slow"], after=1, pause=gate))
    first = await alice.say("hello")
    await alice.begun_answer_to(first)
    await refused(bob, await bob.say("psst", scope="private"))
    waiting = await bob.say("aloud")
    gate.set()
    for client, message in ((alice, first), (bob, waiting)):
        assert (await client.answer_to(message)).finish_reason == "stop"
    await private_answer(bob, await bob.say("psst", scope="private"))


async def test_rooms_of_a_tenant_share_its_limits(
    start_worker: StartWorker, enter: Enter, room_name: str
) -> None:
    worker = await start_worker(TENANT_MESSAGES="1/minute")
    acme = json.dumps({"tenant": "acme"})
    alice = await enter("alice", worker=worker, metadata=acme)
    bob = await enter("bob", room=f"{room_name}-2", metadata=acme)
    carol = await enter("carol", room=f"{room_name}-3", metadata=json.dumps({"tenant": "other"}))
    assert (await alice.ask("hello")).finish_reason == "stop"
    await refused(bob, await bob.say("hello"))
    assert (await carol.ask("hello")).finish_reason == "stop"


def test_a_tenant_is_what_the_dispatch_says_and_not_the_room() -> None:
    profile = RoomProfile.from_metadata(
        ("room metadata", '{"tenant": "theirs"}'), ("dispatch metadata", '{"language": "de"}')
    )
    assert profile.tenant is None
    claimed = RoomProfile.from_metadata(
        ("room metadata", '{"tenant": "theirs"}'), ("dispatch metadata", '{"tenant": "acme"}')
    )
    assert claimed.tenant == "acme"


async def test_tokens_are_counted_for_room_participant_and_tenant(
    start_worker: StartWorker, enter: Enter, model: DemoModel, room_name: str
) -> None:
    worker = await start_worker(
        PARTICIPANT_TOKENS_OUT="1000", ROOM_TOKENS_OUT="1000", TENANT_TOKENS_OUT="1000"
    )
    alice = await enter("alice", worker=worker, metadata='{"tenant": "acme"}')
    model.script(Reply(tokens=["one ", "two ", "three"]))
    await alice.ask("hello")
    counters = worker.host.services.limits.counters
    assert counters.used["tokens_in"] > 0
    assert counters.used["tokens_out"] == 3
