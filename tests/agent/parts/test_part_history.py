"""Parts are kept with their answer: in the history, in transcripts, and gone with it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from livekit import rtc

from devserver.model import DemoModel, Reply, tool_call
from tests.agent.chat_client import ChatClient
from tests.agent.conftest import Enter, StartWorker
from tests.agent.files.test_files_out import FileClient
from toolkit import Data, Source, ToolContext, tool

MARK = "XYZZY"


@tool
async def show_pages(context: ToolContext, pages: int) -> str:
    """Show pages."""
    context.show(Source("Terms <b> of *use*", "https://example.test/terms"))
    for number in range(pages):
        context.show(Data("page", f"{MARK}{number} " + "ä" * 2_000, id=f"page-{number}"))
    return "shown"


@pytest.fixture
async def alice(start_worker: StartWorker, enter: Enter) -> ChatClient:
    return await enter("alice", worker=await start_worker(tools=[show_pages]))


async def shown(client: ChatClient, model: DemoModel, pages: int) -> list[dict[str, Any]]:
    """Has pages shown; returns the parts of the answer."""
    arguments = json.dumps({"pages": pages})
    model.script(Reply(tool_calls=[tool_call("showPages", arguments)]), Reply("Here."))
    question = await client.say("Show me")
    parts = await client.parts_of(question)
    await client.notice("answer.finished", inReplyTo=question)
    return parts


async def answer_of(client: ChatClient) -> dict[str, Any]:
    """The last message of the history."""
    return json.loads(await client.call("getHistory"))["messages"][-1]


async def test_a_message_has_its_parts(alice: ChatClient, model: DemoModel) -> None:
    parts = await shown(alice, model, 1)
    answer = await answer_of(alice)
    assert answer["parts"] == parts
    message = await alice.call("getMessage", json.dumps({"messageId": answer["id"]}))
    assert json.loads(message)["parts"] == parts


async def test_many_parts_are_asked_for_page_by_page(alice: ChatClient, model: DemoModel) -> None:
    parts = await shown(alice, model, 9)
    answer = await answer_of(alice)
    assert "parts" not in answer
    assert answer["partsOmitted"] == len(parts) == 11

    read: list[dict[str, Any]] = []
    first: int | None = 0
    while first is not None:
        asked = json.dumps({"messageId": answer["id"], "fromPart": first})
        text = await alice.call("getMessage", asked)
        assert len(text.encode()) <= 14_000
        page = json.loads(text)
        assert page["parts"]
        read += page["parts"]
        first = page.get("nextPart")
    assert read == parts

    for wrong in (11, -1, "x"):
        asked = json.dumps({"messageId": answer["id"], "fromPart": wrong})
        with pytest.raises(rtc.RpcError) as caught:
            await alice.call("getMessage", asked)
        assert caught.value.code == 400


async def test_deleting_a_message_removes_its_parts(
    alice: ChatClient, model: DemoModel, enter: Enter
) -> None:
    await shown(alice, model, 1)
    answer = await answer_of(alice)
    await alice.call("deleteMessage", json.dumps({"messageId": answer["id"]}))
    assert MARK not in await alice.call("getHistory")
    asked = json.dumps({"messageId": answer["id"], "fromPart": 0})
    with pytest.raises(rtc.RpcError) as caught:
        await alice.call("getMessage", asked)
    assert caught.value.code == 404


@pytest.mark.parametrize("form", ["md", "html", "json"])
async def test_a_transcript_names_the_sources(
    start_worker: StartWorker, enter: Enter, model: DemoModel, form: str
) -> None:
    worker = await start_worker(tools=[show_pages])
    client = FileClient(await enter("alice", worker=worker))
    parts = await shown(client.client, model, 9)
    sent = json.loads(
        await client.client.call("exportTranscript", json.dumps({"format": form}), timeout=20)
    )
    text = (await client.stream(sent["fileId"])).content.decode()
    if form == "json":
        assert json.loads(text)["messages"][-1]["parts"] == parts
        return
    title = "Terms \\<b\\> of \\*use\\*" if form == "md" else "Terms &lt;b&gt; of *use*"
    assert text.index("Here.") < text.index(title) < text.index("https://example.test/terms")
