"""A tool's questions to the model: their cost, and the reports of failures."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest
from livekit.agents import APIStatusError, llm

from agent.models.delegating_llm import DelegatingLLM
from agent.models.sampler import Sampler
from toolkit.errors import Unavailable
from toolkit.questions import Sampling

ASKED = Sampling((("user", "the cat"),), "", 100, "The MCP server shop")
COST = llm.CompletionUsage(completion_tokens=900, prompt_tokens=40, total_tokens=940)


class Thinking(DelegatingLLM):
    """A model that thinks and says nothing, and may fail after that."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self._error = error

    async def ask(
        self,
        context: llm.ChatContext,
        tools: Sequence[llm.Tool] = (),
        **_: Any,  # noqa: ANN401 - those of AskedLLM
    ) -> AsyncGenerator[llm.ChatChunk]:
        yield llm.ChatChunk(id="c", usage=COST)
        if self._error is not None:
            raise self._error

    def _delegate(self) -> llm.LLM[Any]:
        raise NotImplementedError


async def test_thoughts_without_words_cost_what_they_cost() -> None:
    costs: list[tuple[str, int, int]] = []

    def on_asked(model: str, read: int, wrote: int) -> None:
        costs.append((model, read, wrote))

    with pytest.raises(Unavailable, match="The model said nothing"):
        await Sampler(Thinking, timeout=5).sample(ASKED, on_asked)
    assert costs == [(Thinking().model, 40, 900)]


async def test_a_failure_does_not_tell_what_the_service_quotes() -> None:
    error = APIStatusError("bad", status_code=400, body={"quoted": "the cat"})
    with pytest.raises(Unavailable, match="The model did not answer") as caught:
        await Sampler(lambda: Thinking(error), timeout=5).sample(ASKED, lambda _, __, ___: None)
    assert caught.value.__cause__ is None
