"""Any output of a model service ends in an answer or a framework error, and the next answer
works."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.agents import llm

from tests.agent.models.model_streams import DONE, STOP, text
from tests.agent.models.raw_model import RawAnswer, RawModel, said
from tests.agent.openai_clients import opened, outcome_of
from tests.fuzz.cases import cases
from tests.fuzz.inputs import anything, damaged, encoded, like, texts

CHOICE: dict[str, Any] = {
    "index": 0,
    "delta": {
        "role": "assistant",
        "content": "Hi",
        "tool_calls": [{"index": 0, "id": "1", "function": {"name": "look", "arguments": "{}"}}],
    },
    "finish_reason": None,
}
chunks: st.SearchStrategy[dict[str, Any]] = st.one_of(
    like(
        {"id": "c", "choices": [CHOICE], "usage": {"prompt_tokens": 1}, "error": None},
        *("choices", "delta", "content", "index", "message", "usage", "error", "code"),
    ),
    like(CHOICE, "delta", "content", "tool_calls", "function", "arguments", "finish_reason").map(
        lambda choice: {"id": "c", "choices": [choice]}
    ),
    like(CHOICE["delta"], "content", "reasoning", "tool_calls", "index", "function").map(
        lambda delta: {"id": "c", "choices": [{"index": 0, "delta": delta}]}
    ),
)
events: st.SearchStrategy[bytes] = st.one_of(
    chunks.map(lambda chunk: b"data: " + encoded(chunk) + b"\n\n"),
    st.sampled_from([text("Hi"), STOP, DONE, b": wait\n\n", b"data:\n\n", b"event: error\n"]),
    damaged(st.just(text("Hello"))),
    st.one_of(anything, texts.map(lambda said: text(said.encode(errors="replace").decode()))),
)


@st.composite
def answers(draw: st.DrawFn) -> RawAnswer:
    """Some events, with a status and a type that may not be those of a stream."""
    return RawAnswer(
        b"".join(draw(st.lists(events, max_size=8))),
        draw(st.sampled_from([200] * 8 + [204, 302, 400, 401, 429, 500, 503])),
        draw(st.sampled_from(["text/event-stream"] * 4 + ["application/json", "text/html", "a"])),
        cut=draw(st.sampled_from([0, 0, 1, 7])),
    )


@pytest.fixture
async def service() -> AsyncGenerator[RawModel]:
    async with RawModel() as service:
        yield service


@pytest.fixture
async def model(service: RawModel) -> AsyncGenerator[llm.LLM[Any]]:
    async with opened("lean", service.base_url) as model:
        yield model


@given(answers())
@cases("model streams")
async def test_model_streams(service: RawModel, model: llm.LLM[Any], answer: RawAnswer) -> None:
    service.script(answer)
    outcome = await outcome_of(model)
    assert isinstance(outcome.text, str)
    for call in outcome.tool_calls:
        assert isinstance(call["name"], str)
        assert isinstance(call["arguments"], str)
    service.answer = lambda _: RawAnswer(said("Hello."))
