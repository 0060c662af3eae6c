"""Files that the agent sends: to those who asked, and private ones to nobody else."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from livekit import rtc

from devserver import RoomServer
from devserver.model import DemoModel, Reply, tool_call
from tests.agent.chat_client import AGENT, ChatClient
from tests.agent.client_protocol import lie_about_protocol
from tests.agent.conftest import Enter, StartWorker
from tests.agent.files.test_files_in import half_written, history, send, stored
from tests.agent.replies.test_private import private_answer
from tests.room_server import RoomServerUnderTest
from toolkit.file import File
from toolkit.tool import Tool, tool
from tools import TOOLS

MARK = b"XYZZY"


def content_of(size: int) -> bytes:
    """So many bytes, with the mark all over them."""
    return (MARK * (size // len(MARK) + 1))[:size]


@tool
async def make_file(size: int, public: bool = False) -> File:
    """Make a file."""
    return File("made.txt", content_of(size), public=public)


WITH_FILES: tuple[Tool, ...] = (*TOOLS, make_file)


@dataclass
class Received:
    """A file as it came in."""

    name: str
    mime_type: str
    attributes: dict[str, str]
    content: bytes


class FileClient:
    """Takes in the byte streams of somebody's room."""

    def __init__(self, client: ChatClient) -> None:
        self.client = client
        self.streams: list[Received] = []
        self._changed = asyncio.Event()
        self._reading: set[asyncio.Task[None]] = set()
        client.room.register_byte_stream_handler("files", self._on_stream)

    async def stream(self, file_id: str) -> Received:
        async with asyncio.timeout(20):
            while not (found := [s for s in self.streams if s.attributes["file_id"] == file_id]):
                self._changed.clear()
                await self._changed.wait()
            return found[0]

    async def packets(self, file_id: str) -> bytes:
        """A file out of addressed packets, as docs/files.md says."""

        def parts() -> list[dict[str, Any]]:
            return [b for t, b in self.client.packets if t == "files" and b["fileId"] == file_id]

        found = await self.client.until(
            lambda: parts() if parts() and len(parts()) == parts()[0]["total"] else []
        )
        assert [each["seq"] for each in found] == list(range(len(found)))
        content = b"".join(base64.b64decode(each["data"]) for each in found)
        assert hashlib.sha256(content).hexdigest() == found[0]["sha256"]
        assert len(content) == found[0]["size"]
        return content

    async def either(self, file_id: str, *, packets: bool) -> bytes:
        return await self.packets(file_id) if packets else (await self.stream(file_id)).content

    def _on_stream(self, reader: rtc.ByteStreamReader, identity: str) -> None:
        if identity != AGENT:
            reader.close()
            return
        task = asyncio.create_task(self._read(reader))
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)

    async def _read(self, reader: rtc.ByteStreamReader) -> None:
        content = b"".join([chunk async for chunk in reader])
        info = reader.info
        self.streams.append(
            Received(info.name, info.mime_type, dict(info.attributes or {}), content)
        )
        self._changed.set()


async def call(client: ChatClient, method: str, **arguments: object) -> dict[str, Any]:
    return json.loads(await client.ask_method(method, json.dumps(arguments)))


async def refused(client: ChatClient, method: str, **arguments: object) -> rtc.RpcError:
    with pytest.raises(rtc.RpcError) as caught:
        await call(client, method, **arguments)
    return caught.value


def receivers_of_mark(server: RoomServer, room: str) -> set[str]:
    """Receivers of any byte of the agent's with the mark in it, by the server's record."""
    marks = [MARK, *(base64.b64encode(MARK[i:] + MARK)[:4] for i in range(len(MARK)))]
    return {
        packet.receiver
        for packet in server.packets
        if packet.room == room
        and packet.sender == AGENT
        and any(mark in packet.packet.SerializeToString() for mark in marks)
    }


@pytest.mark.parametrize("size", [0, 10, 10_000, 100_000])
@pytest.mark.parametrize("client_protocol", [1, 2])
async def test_nobody_else_gets_a_byte_of_a_callers_file(
    start_worker: StartWorker,
    enter: Enter,
    room_server: RoomServerUnderTest,
    room_name: str,
    size: int,
    client_protocol: int,
) -> None:
    alice = FileClient(await enter("alice", worker=await start_worker(tools=WITH_FILES)))
    bob = FileClient(await enter("bob"))
    await bob.client.ask("hello everybody")  # All participants know each other by now.
    if client_protocol < 2:
        lie_about_protocol(room_server, room_name, "alice", client_protocol)
    sent = await call(alice.client, "makeFile", size=size)
    content = content_of(size)
    assert (sent["name"], sent["mimeType"], sent["size"]) == ("made.txt", "text/plain", size)
    assert sent["sha256"] == hashlib.sha256(content).hexdigest()
    packets = client_protocol < 2 or size > 10_000
    assert await alice.either(sent["fileId"], packets=packets) == content
    await bob.client.ask("anything new?")
    assert bob.streams == []
    assert not bob.client.received(sent["fileId"])
    if room_server.embedded is not None and size:
        assert receivers_of_mark(room_server.embedded, room_name) == {"alice"}


async def test_a_private_file_too_large_for_packets_is_refused_with_the_reason(
    start_worker: StartWorker, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.files.delivery.MAX_PRIVATE_BYTES", 200_000)
    worker = await start_worker(tools=WITH_FILES)
    alice = FileClient(await enter("alice", worker=worker))
    error = await refused(alice.client, "makeFile", size=200_001)
    assert error.code == 413
    assert "streams, which everybody in the room receives" in error.message
    assert list((worker.settings.attachments_dir / "incoming").iterdir()) == []
    sent = await call(alice.client, "makeFile", size=200_001, public=True)
    assert len((await alice.stream(sent["fileId"])).content) == 200_001


async def test_a_file_of_an_answer_goes_to_the_room_and_into_the_history(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    alice = FileClient(await enter("alice", worker=await start_worker(tools=WITH_FILES)))
    bob = FileClient(await enter("bob"))
    await bob.client.ask("hello everybody")
    model.script(
        Reply(tool_calls=[tool_call("makeFile", '{"size": 20000}')]),
        lambda request: Reply(text=f"Here: {request.tool_results[-1][1]}"),
    )
    answer = await alice.client.ask("make me a file")
    told = json.loads(answer.text.removeprefix("Here: "))
    for client in (alice, bob):
        received = await client.stream(told["fileId"])
        assert received.content == content_of(20_000)
        assert (received.name, received.mime_type) == ("made.txt", "text/plain")
        assert received.attributes["in_reply_to"] == answer.in_reply_to
        assert received.attributes["in_reply_to_sender"] == "alice"
        assert received.attributes["scope"] == "room"
    (attachment,) = (await history(bob.client))[-1]["attachments"]
    assert attachment == {
        "id": told["fileId"],
        "name": "made.txt",
        "type": "text/plain",
        "size": 20_000,
        "sha256": hashlib.sha256(content_of(20_000)).hexdigest(),
    }


@pytest.mark.parametrize("size", [10, 100_000])
async def test_a_file_of_a_private_answer_stays_private(
    start_worker: StartWorker,
    enter: Enter,
    model: DemoModel,
    room_server: RoomServerUnderTest,
    room_name: str,
    size: int,
) -> None:
    alice = FileClient(await enter("alice", worker=await start_worker(tools=WITH_FILES)))
    bob = FileClient(await enter("bob"))
    await bob.client.ask("hello everybody")
    model.script(
        Reply(tool_calls=[tool_call("makeFile", json.dumps({"size": size}))]),
        lambda request: Reply(text=request.tool_results[-1][1]),
    )
    message = await alice.client.say("between us, a file", scope="private")
    file_id = json.loads((await private_answer(alice.client, message))[0])["fileId"]
    assert await alice.either(file_id, packets=size > 10_000) == content_of(size)
    assert (await refused(bob.client, "sendFile", fileId=file_id)).code == 404
    sent = await call(alice.client, "sendFile", fileId=file_id)
    assert sent["fileId"] == file_id
    await bob.client.ask("anything new?")
    assert bob.streams == []
    if room_server.embedded is not None:
        assert receivers_of_mark(room_server.embedded, room_name) == {"alice"}


async def test_a_file_of_the_room_is_sent_again_on_request(enter: Enter) -> None:
    alice = FileClient(await enter("alice"))
    bob = FileClient(await enter("bob"))
    content = os.urandom(50_000)
    await send(alice.client, content, name="photo.bin")
    notice = await alice.client.notice("file.received")
    sent = await call(bob.client, "sendFile", fileId=notice["fileId"])
    assert (sent["name"], sent["size"]) == ("photo.bin", 50_000)
    assert (await bob.stream(sent["fileId"])).content == content
    assert alice.streams == []
    assert (await refused(bob.client, "sendFile", fileId="file_none")).code == 404


async def test_too_many_files_for_one_are_refused(
    start_worker: StartWorker, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.files.delivery.MAX_WAITING", 0)
    alice = await enter("alice", worker=await start_worker(tools=WITH_FILES))
    error = await refused(alice, "makeFile", size=1)
    assert error.code == 429
    assert json.loads(error.data or "")["retryAfter"] > 0


async def test_files_for_callers_leave_nothing_on_disk(
    start_worker: StartWorker, enter: Enter
) -> None:
    worker = await start_worker(tools=WITH_FILES)
    alice = FileClient(await enter("alice", worker=worker))
    sent = await call(alice.client, "makeFile", size=5)
    await alice.stream(sent["fileId"])
    async with asyncio.timeout(20):
        while half_written(worker):
            await alice.client.ask("still there?")
    assert stored(worker) == {}


async def test_a_tool_may_send_a_file_by_its_path_and_fail(
    start_worker: StartWorker, enter: Enter
) -> None:
    path = Path(tempfile.mkdtemp()) / "here.csv"
    path.write_text("a,b\n")

    @tool
    async def send_path(there: bool) -> File:
        """Send a file of this machine."""
        return File("table.csv", path if there else path.with_name("none"))

    alice = FileClient(await enter("alice", worker=await start_worker(tools=(send_path,))))
    sent = await call(alice.client, "sendPath", there=True)
    assert sent["mimeType"] == "text/csv"
    assert (await alice.stream(sent["fileId"])).content == b"a,b\n"
    assert (await refused(alice.client, "sendPath", there=False)).code == 500


TRICKY = "<script>alert('1')</script> & \"quotes\"\n# no heading"


@pytest.mark.parametrize("form", ["md", "json", "html"])
async def test_a_transcript_has_everything_and_escapes_it(
    enter: Enter, model: DemoModel, form: str
) -> None:
    alice = FileClient(await enter("alice", name="Alice <b>"))
    model.script(Reply("Quite."))
    await alice.client.ask(TRICKY)
    await send(alice.client, b"x", name="<i>.txt")
    await alice.client.notice("file.received")
    sent = await call(alice.client, "exportTranscript", format=form)
    assert sent["name"] == f"transcript.{form}"
    received = await alice.stream(sent["fileId"])
    assert received.mime_type == sent["mimeType"]
    text = received.content.decode()
    assert (
        text.index("alert")
        < text.index("Quite.")
        < text.index("i\\_.txt" if form == "md" else "i_.txt")
    )
    match form:
        case "json":
            assert json.loads(text)["messages"] == await history(alice.client)
        case "html":
            assert "<script>" not in text
            assert "&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt; &amp;" in text
            assert "Alice &lt;b&gt;" in text
        case _:
            assert "    <script>alert('1')</script>" in text
            assert "\n    # no heading" in text
            assert "Alice \\<b\\>" in text


async def test_a_transcript_of_many_pages_is_complete_and_in_order(
    enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.files.transcript.MAX_PAGE", 3)
    alice = FileClient(await enter("alice"))
    for number in range(7):
        await alice.client.ask(f"number {number}")
    sent = await call(alice.client, "exportTranscript", format="json")
    text = (await alice.stream(sent["fileId"])).content
    messages = json.loads(text)["messages"]
    assert messages == await history(alice.client)
    assert len(messages) == 14


async def test_a_private_transcript_is_for_its_owner_alone(
    enter: Enter, room_server: RoomServerUnderTest, room_name: str
) -> None:
    alice = FileClient(await enter("alice"))
    bob = FileClient(await enter("bob"))
    await bob.client.ask("hello everybody")
    question = (MARK * 2_000).decode()
    await alice.client.send_packet({"type": "chat", "id": "p", "text": question, "private": True})
    await alice.client.notice("answer.finished", inReplyTo="p")
    sent = await call(alice.client, "exportTranscript", thread="private:alice")
    assert question.encode() in await alice.either(sent["fileId"], packets=sent["size"] > 10_000)
    error = await refused(bob.client, "exportTranscript", thread="private:alice")
    assert error.code in {403, 404}
    if room_server.embedded is not None:
        assert receivers_of_mark(room_server.embedded, room_name) == {"alice"}
