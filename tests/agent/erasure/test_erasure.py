"""Erasing over RPC and the command line: in the room, in the database, and on disk."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from livekit import api, rtc

from agent.erasure.retention import Retention
from agent.history.message import Attachment
from agent.history.open_history import open_history
from agent.sdk.perform_rpc import perform_rpc
from devserver.model import DemoModel
from tests.agent.chat.test_history import get_history
from tests.agent.chat_client import AGENT, ChatClient, announced
from tests.agent.conftest import Enter, StartWorker, Worker
from tests.agent.data.test_whiteboard import board, draw, until_drawn
from tests.agent.files.test_files_to_model import ask_about
from tests.room_server import RoomServerUnderTest

MODERATOR = {"role": "moderator"}


async def erase(client: ChatClient, **arguments: object) -> dict[str, int]:
    answer = await client.ask_method("eraseData", json.dumps(arguments))
    return json.loads(answer)


async def texts(client: ChatClient) -> list[str]:
    return [each["text"] for each in (await get_history(client))["messages"]]


def stored_files(worker: Worker) -> list[Path]:
    return list(worker.settings.attachments_dir.glob("[0-9a-f][0-9a-f]/*"))


def asked(model: DemoModel) -> list[str]:
    return [each.text for each in model.requests[-1].chat.messages if each.role == "user"]


async def test_a_moderator_erases_a_participant_from_the_conversation(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker()
    alice, bob = await enter("alice", worker=worker), await enter("bob", attributes=MODERATOR)
    await ask_about(alice, b"the word is XYZZY", "word.txt")
    await bob.ask("bob's word")
    await draw(alice, op="note", id="n1", x=0, y=0, text="alice's note")
    await until_drawn(bob, 1)
    assert len(stored_files(worker)) == 1

    receipt = await erase(bob, identity="alice")
    assert (receipt["messages"], receipt["files"], receipt["contents"]) == (3, 1, 1)
    assert await board(bob) == []
    assert (await texts(bob))[0] == "bob's word"
    assert len(await texts(bob)) == 2
    assert stored_files(worker) == []
    await alice.notice("author.erased", authorId="alice")
    await bob.ask("what was the word?")
    assert not [each for each in asked(model) if "alice" in each or "XYZZY" in each]
    # The conversation goes on, with alice, too.
    assert (await alice.ask("hello")).finish_reason == "stop"


@pytest.mark.parametrize("scope", ["conversation", "room", "everywhere"])
async def test_the_backend_erases_with_a_token_of_its_own(
    start_worker: StartWorker,
    enter: Enter,
    room_server: RoomServerUnderTest,
    lk_api: api.LiveKitAPI,
    room_name: str,
    scope: str,
) -> None:
    worker = await start_worker()
    alice = await enter("alice", worker=worker)
    await alice.ask("in this room")
    other = await enter("alice", worker=worker, room=f"{room_name}, another")
    await other.ask("in another")
    token = room_server.token("", room_name, room_admin=True)
    payload = json.dumps({"identity": "alice", "scope": scope, "token": token})
    answer = await perform_rpc(lk_api.room, room_name, AGENT, "eraseData", payload)
    receipt: dict[str, int] = json.loads(answer)
    assert receipt["messages"] == (4 if scope == "everywhere" else 2)
    assert await texts(alice) == []
    assert len(await texts(other)) == (0 if scope == "everywhere" else 2)


async def test_erasing_takes_a_role_or_the_backend_s_token(
    enter: Enter, room_server: RoomServerUnderTest, lk_api: api.LiveKitAPI, room_name: str
) -> None:
    alice = await enter("alice")
    bob = await enter("bob", attributes=MODERATOR)
    # A participant who may change their own attributes could claim any role.
    mallory = await enter("mallory", attributes=MODERATOR, can_update_own_metadata=True)
    await alice.ask("hello")
    joining = room_server.token("alice", room_name)
    elsewhere = room_server.token("", "another", room_admin=True)
    forged = api.AccessToken("devkey", "x" * 32).with_grants(
        api.VideoGrants(room_admin=True, room=room_name)
    )
    attempts: list[tuple[ChatClient, dict[str, Any]]] = [
        (alice, {"identity": "alice"}),
        (mallory, {"identity": "alice"}),
        (alice, {"identity": None, "token": joining}),
        (alice, {"identity": None, "token": elsewhere}),
        (alice, {"identity": None, "token": forged.to_jwt()}),
        (alice, {"identity": None, "token": "x"}),
        (bob, {"identity": "alice", "scope": "room"}),
        (bob, {"identity": "alice", "scope": "everywhere"}),
    ]
    for client, arguments in attempts:
        with pytest.raises(rtc.RpcError) as refused:
            await erase(client, **arguments)
        assert refused.value.code == 403, arguments
    payload = json.dumps({"identity": "alice"})
    with pytest.raises(api.TwirpError):
        await perform_rpc(lk_api.room, room_name, AGENT, "eraseData", payload)
    assert len(await texts(alice)) == 2


async def test_a_whole_conversation_is_erased_while_it_goes_on(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker()
    alice, bob = await enter("alice", worker=worker), await enter("bob", attributes=MODERATOR)
    await alice.ask("in public")
    secret = await alice.say("in private", scope="private")
    await alice.notice("answer.finished", inReplyTo=secret)
    await draw(alice, op="note", id="n1", x=0, y=0, text="alice's note")
    await until_drawn(bob, 1)
    receipt = await erase(bob, identity=None)
    assert (receipt["messages"], receipt["threads"], receipt["boards"]) == (4, 2, 1)
    await alice.notice("thread.deleted", thread="private:alice")
    assert await board(alice) == []
    await alice.ask("and now?")
    assert asked(model) == ["and now?"]


async def test_the_command_erases_and_gives_a_receipt(
    start_worker: StartWorker, enter: Enter, room_name: str
) -> None:
    worker = await start_worker()
    alice, bob = await enter("alice", worker=worker), await enter("bob")
    await ask_about(alice, b"the word is XYZZY", "word.txt")
    await bob.ask("bob's word")
    await announced(alice, bob)
    await draw(alice, op="note", id="n1", x=0, y=0, text="alice's note")
    await draw(bob, op="note", id="n2", x=0, y=0, text="bob's note")
    await until_drawn(bob, 2)
    for client in (alice, bob):
        await client.room.disconnect()
    await worker.server.aclose()
    await worker.host.aclose()

    receipt = await command(worker, "--participant", "alice")
    assert (receipt["messages"], receipt["contents"], receipt["boards"]) == (3, 1, 1)
    assert stored_files(worker) == []
    receipt = await command(worker, "--room", room_name)
    assert (receipt["messages"], receipt["boards"]) == (2, 1)
    assert not any((await command(worker, "--room", room_name)).values())


async def command(worker: Worker, *arguments: str) -> dict[str, int]:
    """The output of `python -m agent erase`."""
    environ = {
        **os.environ,
        "DATABASE_URL": worker.settings.database_url,
        "ATTACHMENTS_DIR": str(worker.settings.attachments_dir),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "agent", "erase", "--yes", *arguments),
        env=environ,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(output)


async def test_files_that_others_sent_as_well_stay(start_worker: StartWorker, enter: Enter) -> None:
    worker = await start_worker()
    alice, bob = await enter("alice", worker=worker), await enter("bob", attributes=MODERATOR)
    for client in (alice, bob):
        await ask_about(client, b"the word is XYZZY", "word.txt")
    receipt = await erase(bob, identity="alice")
    assert (receipt["files"], receipt["contents"]) == (1, 0)
    assert len(stored_files(worker)) == 1


async def test_the_worker_erases_what_is_older_than_the_retention_period(
    start_worker: StartWorker, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await start_worker()
    alice = await enter("alice", worker=first)
    await ask_about(alice, b"the word is XYZZY", "word.txt")
    await alice.room.disconnect()
    await first.server.aclose()
    await first.host.aclose()
    done = asyncio.Event()
    as_it_is = Retention.expire

    async def expire(self: Retention) -> None:
        await as_it_is(self)
        done.set()

    monkeypatch.setattr(Retention, "expire", expire)
    # A ten-millionth of a day is 9 ms.
    second = await start_worker(
        DATABASE_URL=first.settings.database_url, RETENTION_DAYS="0.0000001"
    )
    async with asyncio.timeout(20):
        await done.wait()
    assert stored_files(second) == []
    history = open_history(second.settings.database_url)
    await history.migrate()
    assert await history.boards.names("", 1) == ()
    attachment = Attachment("f", "word.txt", "text/plain", 1, "0" * 64)
    assert await history.attached_content([attachment.sha256]) == frozenset()
    await history.aclose()
