"""Files that people send: stored whole or refused, with a word to their sender."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from devserver.model import DemoModel
from tests.agent.attached_text import send_with_attachments
from tests.agent.chat_client import ChatClient
from tests.agent.conftest import Enter, StartWorker, Worker
from tests.agent.raw_stream import send_unsized_bytes


def stored(worker: Worker) -> dict[str, bytes]:
    """The files on disk, by hash."""
    directory = worker.settings.attachments_dir
    return {each.name: each.read_bytes() for each in directory.glob("[0-9a-f][0-9a-f]/*")}


def half_written(worker: Worker) -> list[Path]:
    return list((worker.settings.attachments_dir / "incoming").iterdir())


async def history(client: ChatClient, thread: str = "room") -> list[dict[str, Any]]:
    return json.loads(await client.ask_method("getHistory", json.dumps({"thread": thread})))[
        "messages"
    ]


async def send(
    client: ChatClient,
    content: bytes,
    *,
    name: str = "data.bin",
    topic: str = "files",
    **attributes: str,
) -> str:
    """Sends a file piece by piece; returns its stream's id."""
    writer = await client.me.stream_bytes(
        name, topic=topic, total_size=len(content), attributes=attributes
    )
    for start in range(0, len(content), 50_000):
        await writer.write(content[start : start + 50_000])
    await writer.aclose()
    return writer.info.stream_id


async def test_a_file_that_declares_no_size_is_stored_up_to_a_bound(
    start_worker: StartWorker, enter: Enter
) -> None:
    worker = await start_worker()
    alice = await enter("alice", worker=worker)
    content = b"as livekit-client 2.15 sends it, " * 1_000
    pieces = [content[:15_000], content[15_000:30_000], content[30_000:]]
    sent = await send_unsized_bytes(alice.room, pieces, topic="files")
    assert (await alice.notice("file.received"))["streamId"] == sent
    assert list(stored(worker).values()) == [content]
    sent = await send_unsized_bytes(alice.room, [b"x" * 15_000] * 20, topic="files")
    refused = await alice.notice("file.refused", code=400)
    assert refused["streamId"] == sent
    assert refused["text"] == "A file of over 262144 bytes has to say its size."


@pytest.mark.parametrize("size", [0, 1, 15_000, 15_001, 400_000])
@pytest.mark.parametrize("topic", ["files", ""])
async def test_a_file_is_stored_as_it_was_sent(
    start_worker: StartWorker, enter: Enter, size: int, topic: str
) -> None:
    worker = await start_worker()
    alice = await enter("alice", worker=worker)
    content = os.urandom(size)
    sha256 = hashlib.sha256(content).hexdigest()
    stream = await send(alice, content, name="../../etc/passwd", topic=topic)
    notice = await alice.notice("file.received", streamId=stream)
    assert (notice["name"], notice["size"], notice["sha256"]) == ("passwd", size, sha256)
    assert stored(worker) == {sha256: content}
    assert half_written(worker) == []
    kind = "text/plain" if size == 0 else notice["mimeType"]
    assert (await history(alice))[-1] == {
        "id": stream,
        "thread": "room",
        "role": "user",
        "senderId": "alice",
        "senderName": "",
        "text": "",
        "timestamp": (await history(alice))[-1]["timestamp"],
        "position": 2,
        "attachments": [
            {
                "id": notice["fileId"],
                "name": "passwd",
                "type": kind,
                "size": size,
                "sha256": sha256,
            }
        ],
    }


async def test_a_whole_file_at_once_and_compressed(start_worker: StartWorker, enter: Enter) -> None:
    worker = await start_worker()
    alice = await enter("alice", worker=worker)
    content = b"all the same " * 100_000
    info = await alice.me.send_bytes(content, topic="files", name="same.txt")
    notice = await alice.notice("file.received", streamId=info.stream_id)
    assert notice["mimeType"] == "text/plain"
    assert stored(worker) == {hashlib.sha256(content).hexdigest(): content}


@pytest.mark.parametrize("text_first", [True, False])
@pytest.mark.parametrize("form", ["header", "attribute", "packet"])
async def test_files_belong_to_the_message_that_names_them(
    enter: Enter, model: DemoModel, form: str, text_first: bool
) -> None:
    alice = await enter("alice")
    streams = [
        await alice.me.stream_bytes(name, topic="lk.chat") for name in ("one.txt", "two.txt")
    ]
    ids = [stream.info.stream_id for stream in streams]

    async def say() -> str:
        if form == "header":
            return await send_with_attachments(alice.me, "what are these?", ids)
        if form == "attribute":
            return await alice.say("what are these?", attachments=", ".join(ids))
        packet = {"type": "chat", "id": "p", "text": "what are these?", "attachments": ids}
        await alice.send_packet(packet)
        return "p"

    async def upload() -> None:
        for stream in streams:
            await stream.write(b"a file")
            await stream.aclose()

    if text_first:
        message = await say()
        await upload()
    else:
        await upload()
        message = await say()
    await alice.answer_to(message)
    asked = model.requests[-1].chat.messages[-1].text
    assert asked.index("what are these?") < asked.index("one.txt") < asked.index("two.txt")
    messages = await history(alice)
    assert [each["role"] for each in messages] == ["user", "assistant"]
    assert [each["name"] for each in messages[0]["attachments"]] == ["one.txt", "two.txt"]


async def test_attachments_of_every_size_arrive_whole(
    start_worker: StartWorker, enter: Enter
) -> None:
    """Files that fit into no chunk, into one with room to spare, exactly, and not quite."""
    worker = await start_worker()
    alice = await enter("alice", worker=worker)
    contents = [os.urandom(size) for size in (0, 1, 15_000, 15_001)]
    streams = [
        await send(alice, content, name=f"{len(content)}.bin", topic="lk.chat")
        for content in contents
    ]
    await alice.ask("what are these?", attachments=",".join(streams))
    hashes = [hashlib.sha256(content).hexdigest() for content in contents]
    assert stored(worker) == dict(zip(hashes, contents, strict=True))
    attached = (await history(alice))[0]["attachments"]
    assert [(each["size"], each["sha256"]) for each in attached] == [
        (len(content), sha256) for content, sha256 in zip(contents, hashes, strict=True)
    ]


async def test_the_model_knows_of_a_file_that_came_by_itself(
    enter: Enter, model: DemoModel
) -> None:
    alice = await enter("alice")
    bob = await enter("bob")
    stream = await send(alice, b"hello", name="greeting.txt")
    await alice.notice("file.received", streamId=stream)
    assert len(model.requests) == 0
    await bob.ask("what did she send?")
    texts = [each.text for each in model.requests[-1].chat.messages]
    assert any("greeting.txt" in text for text in texts)
    assert alice.notices("file.received") != []
    assert bob.notices("file.received") == []


async def test_a_private_file_is_hidden_from_everybody_else_and_the_rooms_model(
    enter: Enter, model: DemoModel
) -> None:
    alice = await enter("alice")
    bob = await enter("bob")
    stream = await send(alice, b"hello", name="secret.txt", scope="private")
    await alice.notice("file.received", streamId=stream)
    await bob.ask("anything new?")
    texts = [each.text for each in model.requests[-1].chat.messages]
    assert not any("secret.txt" in text for text in texts)
    assert not bob.received("secret.txt")
    assert [each["id"] for each in await history(alice, "private:alice")] == [stream]


async def test_a_message_whose_file_never_comes_is_answered_without_it(
    start_worker: StartWorker, enter: Enter
) -> None:
    alice = await enter("alice", worker=await start_worker(STREAM_TIMEOUT="1"))
    answer = await alice.ask("see this", attachments="never")
    assert answer.finish_reason == "stop"
    assert "attachments" not in (await history(alice))[0]


@pytest.mark.parametrize("declared", [None, 1_001, 400])
async def test_a_file_over_the_limit_is_refused(
    start_worker: StartWorker, enter: Enter, declared: int | None
) -> None:
    worker = await start_worker(MAX_FILE_BYTES="1000")
    alice = await enter("alice", worker=worker)
    writer = await alice.me.stream_bytes("big", topic="files", total_size=declared)
    await writer.write(b"x" * 1_001)
    notice = await alice.notice("file.refused", streamId=writer.info.stream_id)
    # The SDK itself ends one that is longer than it says.
    assert notice["code"] == (400 if declared == 400 else 413)
    assert stored(worker) == {}
    await writer.aclose()
    await send(alice, b"x" * 1_000)
    await alice.notice("file.received")


async def test_a_file_shorter_than_it_says_is_refused(
    start_worker: StartWorker, enter: Enter
) -> None:
    worker = await start_worker()
    alice = await enter("alice", worker=worker)
    writer = await alice.me.stream_bytes("short", topic="files", total_size=1_000)
    await writer.write(b"x" * 999)
    await writer.aclose()
    notice = await alice.notice("file.refused", streamId=writer.info.stream_id)
    assert notice["code"] == 400
    assert (stored(worker), half_written(worker)) == ({}, [])


async def test_a_stream_that_unpacks_to_too_much_is_refused(
    start_worker: StartWorker, enter: Enter
) -> None:
    worker = await start_worker(MAX_FILE_BYTES="1000000")
    alice = await enter("alice", worker=worker)
    # 40 kB on the wire.
    await alice.me.send_bytes(b"\0" * 40_000_000, topic="files", name="bomb")
    notice = await alice.notice("file.refused")
    assert notice["code"] in {400, 413}
    assert (stored(worker), half_written(worker)) == ({}, [])
    assert (await alice.ask("still there?")).finish_reason == "stop"


async def test_a_stream_that_stops_is_given_up_and_nothing_else(
    start_worker: StartWorker, enter: Enter
) -> None:
    worker = await start_worker(STREAM_TIMEOUT="1")
    alice = await enter("alice", worker=worker)
    writer = await alice.me.stream_bytes("endless", topic="files")
    await writer.write(b"x")
    other = await send(alice, b"whole")
    await alice.notice("file.received", streamId=other)
    notice = await alice.notice("file.refused", streamId=writer.info.stream_id)
    assert notice["code"] == 408
    assert half_written(worker) == []
    await writer.aclose()


async def test_a_file_is_given_up_when_its_sender_leaves(
    start_worker: StartWorker, enter: Enter
) -> None:
    worker = await start_worker(STREAM_TIMEOUT="1")
    alice = await enter("alice", worker=worker)
    bob = await enter("bob")
    writer = await bob.me.stream_bytes("half", topic="files")
    await writer.write(b"x" * 300_000)
    await bob.room.disconnect()
    async with asyncio.timeout(20):
        while half_written(worker):
            await alice.ask("still there?")
    assert stored(worker) == {}


async def test_too_many_files_at_once_are_refused(start_worker: StartWorker, enter: Enter) -> None:
    worker = await start_worker(MAX_FILES="2")
    alice = await enter("alice", worker=worker)
    writers = [await alice.me.stream_bytes(f"{i}", topic="files") for i in range(3)]
    notice = await alice.notice("file.refused")
    assert (notice["code"], notice["name"]) == (429, "2")
    for writer in writers:
        await writer.write(b"x")
        await writer.aclose()
    await alice.until(lambda: len(alice.notices("file.received")) == 2)
    message = await alice.say("all of these", attachments="1,2,3")
    assert (await alice.notice("error", messageIds=[message]))["code"] == 413


async def test_types_that_are_not_taken_are_refused_by_their_bytes(
    start_worker: StartWorker, enter: Enter
) -> None:
    worker = await start_worker(FILE_TYPES="text/*,image/*")
    alice = await enter("alice", worker=worker)
    pdf = await send(alice, b"%PDF-1.4 and more", name="harmless.txt")
    assert (await alice.notice("file.refused", streamId=pdf))["code"] == 415
    text = await send(alice, b"text", name="text.pdf")
    assert (await alice.notice("file.received", streamId=text))["mimeType"] == "text/plain"


async def test_a_full_store_is_reported_to_the_sender_and_the_room_goes_on(
    start_worker: StartWorker, enter: Enter
) -> None:
    worker = await start_worker(MAX_STORED_BYTES="1000")
    alice = await enter("alice", worker=worker)
    large = await send(alice, b"x" * 1_001)
    assert (await alice.notice("file.refused", streamId=large))["code"] == 507
    small = await send(alice, b"x" * 1_000)
    await alice.notice("file.received", streamId=small)
    assert (await alice.ask("still there?")).finish_reason == "stop"


async def test_a_worker_without_a_directory_refuses_files_and_goes_on(
    start_worker: StartWorker, enter: Enter, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    worker = await start_worker(ATTACHMENTS_DIR=str(tmp_path / "file" / "attachments"))
    alice = await enter("alice", worker=worker)
    await send(alice, b"x")
    assert (await alice.notice("file.refused"))["code"] == 503
    assert (await alice.ask("still there?")).finish_reason == "stop"


async def test_progress_is_reported_while_a_file_arrives(
    start_worker: StartWorker, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.files.file_notices.PROGRESS_EVERY", 0.0)
    alice = await enter("alice", worker=await start_worker())
    writer = await alice.me.stream_bytes("slow", topic="files", total_size=2)
    await writer.write(b"x")
    notice = await alice.notice("file.progress", streamId=writer.info.stream_id)
    assert (notice["received"], notice["size"]) == (1, 2)
    await writer.write(b"x")
    await writer.aclose()
    await alice.notice("file.received")
