"""Overhead of hooks: processor time of hooks that do nothing.

.venv/bin/python -m bench.hooks [calls]
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Coroutine, Sequence
from typing import Any

from livekit.agents import llm

from agent.app.hooks import Hooks
from agent.models.asked_llm import AskedLLM
from agent.models.filtered_llm import FilteredLLM

CALLS = 20_000
ROUNDS = 5
"""The cheapest of these counts: what else runs on the machine only adds to them."""


class Pieces:
    """A model that says so many pieces of text."""

    def __init__(self, number: int) -> None:
        self._number = number

    @property
    def model(self) -> AskedLLM:
        raise NotImplementedError

    async def ask(
        self, context: llm.ChatContext, tools: Sequence[llm.Tool], **options: object
    ) -> AsyncGenerator[llm.ChatChunk]:
        for _ in range(self._number):
            yield llm.ChatChunk(id="1", delta=llm.ChoiceDelta(role="assistant", content="word "))


async def nothing() -> None:
    """A hook that does nothing."""


async def unchanged(text: AsyncIterable[str]) -> AsyncIterator[str]:
    """A filter that changes nothing."""
    async for piece in text:
        yield piece


def _failed(error: Exception) -> Exception:
    return error


async def calls(number: int) -> None:
    """So many calls of a hook."""
    hooks = Hooks(on_start=nothing)
    for _ in range(number):
        await hooks.run("on_start")


async def pieces(number: int, *, filtered: bool) -> None:
    """An answer of so many pieces, through a filter or not."""
    model = Pieces(number)
    asked = FilteredLLM(model, unchanged, timeout=10.0, on_failure=_failed) if filtered else model
    async for _ in asked.ask(llm.ChatContext(), ()):
        pass


async def main(number: int) -> None:
    """Prints µs for each call and each piece."""
    call = [await _seconds(calls(number)) for _ in range(ROUNDS)]
    plain = [await _seconds(pieces(number, filtered=False)) for _ in range(ROUNDS)]
    through = [await _seconds(pieces(number, filtered=True)) for _ in range(ROUNDS)]
    sys.stdout.write(
        f"a call of a hook: {min(call) / number * 1e6:.1f} µs\n"
        f"a piece through on_text: {(min(through) - min(plain)) / number * 1e6:.1f} µs\n"
    )


async def _seconds(work: Coroutine[Any, Any, None]) -> float:
    began = time.process_time()
    await work
    return time.process_time() - began


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else CALLS))
