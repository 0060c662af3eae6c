"""The examples of docs/files.md do what stands beside them."""

from __future__ import annotations

import asyncio
import hashlib

from devserver.model import DemoModel
from tests.agent.clients.conftest import Example, OpenClient
from tests.agent.conftest import StartWorker
from toolkit.file import File
from toolkit.tool import tool

DOCUMENT = "files.md"


async def test_a_file_is_received(open_client: OpenClient, example: Example) -> None:
    client = await open_client("ana")
    await client.run(example("Notices to the sender"))
    await client.connect()
    await client.run(example("Sending a file"))
    said = await client.console.says("meeting.csv")
    assert said.endswith(hashlib.sha256(b"time,place\nnoon,here\n").hexdigest())


async def test_a_message_has_its_file(
    open_client: OpenClient, example: Example, model: DemoModel
) -> None:
    client = await open_client("ana")
    await client.run(example("Notices to the sender"))
    await client.connect()
    await client.run(example("With a message"))
    await client.console.says("note.txt")
    async with asyncio.timeout(20):
        await model.requests.reach(1)
    asked = model.requests[-1].chat.messages[-1].text
    assert asked.startswith("What is this?")
    assert "note.txt" in asked


async def test_a_transcript_comes_as_a_stream(open_client: OpenClient, example: Example) -> None:
    client = await open_client("ana")
    await client.run(example("Files from the agent"))
    await client.connect()
    await client.run(example("sendFile and exportTranscript"))
    await client.console.says("sent transcript.html")
    assert "transcript.html" in await client.console.says("stream file_")


async def test_a_private_file_comes_in_packets(
    open_client: OpenClient, example: Example, start_worker: StartWorker
) -> None:
    @tool
    async def make_file(format: str) -> File:  # noqa: A002 - the example's argument
        """Make a file of several packets."""
        del format
        return File("made.bin", b"\0" * 100_000)

    client = await open_client("ana", worker=await start_worker(tools=(make_file,)))
    await client.run(example("Private files"))
    await client.connect()
    await client.run(
        example("sendFile and exportTranscript").replace("exportTranscript", "makeFile")
    )
    said = await client.console.says("packets file_")
    assert "made.bin 100000" in said
    assert said.lower().endswith(" true")
