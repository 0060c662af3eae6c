"""The examples of docs/files.md do what stands beside them."""

from __future__ import annotations

import asyncio
import hashlib

from devserver.model import DemoModel
from tests.agent.clients.conftest import Example, OpenClient

DOCUMENT = "files.md"


async def test_a_file_is_received(open_client: OpenClient, example: Example) -> None:
    client = await open_client("ana")
    await client.run(example("What the sender is told"))
    await client.connect()
    await client.run(example("Sending a file"))
    said = await client.console.says("meeting.csv")
    assert said.endswith(hashlib.sha256(b"time,place\nnoon,here\n").hexdigest())


async def test_a_message_has_its_file(
    open_client: OpenClient, example: Example, model: DemoModel
) -> None:
    client = await open_client("ana")
    await client.run(example("What the sender is told"))
    await client.connect()
    await client.run(example("With a message"))
    await client.console.says("note.txt")
    async with asyncio.timeout(20):
        await model.requests.reach(1)
    asked = model.requests[-1].chat.messages[-1].text
    assert asked.startswith("What is this?")
    assert "note.txt" in asked
