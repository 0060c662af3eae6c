"""Streams of many services, read by the worker's client: text, tool calls, errors."""

from __future__ import annotations

import asyncio
import json

import pytest
from livekit.agents import APIConnectionError, APIError, llm

from agent.models.completion import REASONING, CompletionReader
from agent.models.llm import build_client, build_llm
from tests.agent.models.model_call_names import CALL_NAMES
from tests.agent.models.model_call_streams import TOOL_CALLS
from tests.agent.models.model_streams import CALLED, DONE, ERRORS, HARMLESS, WHOLE, Stream, call, d
from tests.agent.models.model_text_streams import CHARACTERS, THINKING, WITHHELD
from tests.agent.models.raw_model import RawAnswer, RawModel

STREAMS = [
    *HARMLESS,
    *CHARACTERS,
    *ERRORS,
    *THINKING,
    *TOOL_CALLS,
    *CALL_NAMES,
    *WHOLE,
    *WITHHELD,
]


class Read:
    """All that came of one stream."""

    def __init__(self) -> None:
        self.text = ""
        self.calls: list[llm.FunctionToolCall] = []
        self.finish: list[str] = []
        self.error: APIError | None = None


async def read(body: bytes, *, cut: int = 0, kind: str = "text/event-stream") -> Read:
    found = Read()
    answer = RawAnswer(body, kind=kind, cut=cut)
    async with RawModel(answer) as server, asyncio.timeout(20):
        client = build_client(base_url=server.base_url)
        context = llm.ChatContext.empty()
        context.add_message(role="user", content="hello")
        model = build_llm(client, model="demo")
        try:
            async for chunk in model.ask(context, on_finish=found.finish.append):
                if chunk.delta is not None:
                    found.text += chunk.delta.content or ""
                    found.calls += chunk.delta.tool_calls
        except APIError as error:
            found.error = error
        await client.close()
    return found


@pytest.mark.parametrize("cut", [0, 7], ids=["whole", "in pieces"])
@pytest.mark.parametrize("stream", STREAMS, ids=lambda each: f"{each.service}: {each.name}")
async def test_each_stream_is_read_as_it_is_meant(stream: Stream, cut: int) -> None:
    if cut and len(stream.body) > 100_000:
        cut = 10_000
    found = await read(stream.body, cut=cut, kind=stream.kind)

    # Of a text in pieces, the first is shown before a lone end tag marks it as reasoning.
    if not (cut and stream.name == "a lone end"):
        assert found.text == stream.text
    assert isinstance(found.error, APIConnectionError) is stream.error
    assert found.finish == ([stream.finish] if stream.finish else [])
    assert [(each.name, json.loads(each.arguments or "{}")) for each in found.calls] == [
        *stream.calls
    ]
    ids = [each.call_id for each in found.calls]
    assert all(ids)
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("stream", THINKING, ids=lambda each: f"{each.service}: {each.name}")
async def test_reasoning_is_kept_apart(stream: Stream) -> None:
    reader = CompletionReader()
    async with RawModel(RawAnswer(stream.body)) as server:
        client = build_client(base_url=server.base_url)
        async with await client.complete({"model": "demo", "messages": []}) as events:
            async for each in events:
                for _ in reader.read(each):
                    pass
        await client.close()
    for _ in reader.rest(complete=True):
        pass

    assert reader.reasoning == stream.thought


async def test_reasoning_before_a_call_is_sent_with_it() -> None:
    thought = d({"reasoning_content": "It wants "}) + d({"reasoning_content": "the time."})
    found = await read(thought + call("{}", "time", index=0, id="1") + CALLED + DONE)

    assert found.calls[0].extra == {REASONING: {"reasoning_content": "It wants the time."}}
