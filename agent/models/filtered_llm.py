"""FilteredLLM: a model whose text passes through the app's filter before anybody gets it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import Any

from livekit.agents import llm

from agent.models.asked_llm import AskedLLM
from agent.models.assistant import StepModel

Filter = Callable[[AsyncIterable[str]], AsyncIterator[str]]


class FilteredLLM:
    """Passes the text of each step through a filter; tool calls follow unchanged.

    The filter pulls: it may hold text back while it reads on, and only text that it yields is sent.
    Time that the filter waits for the model does not count as its own.

    Args:
        timeout: seconds that the filter may take for a piece.
        on_failure: called with the filter's exception, TimeoutError if it took too long; the answer
            then fails with the exception that it returns.
    """

    def __init__(
        self,
        inner: StepModel,
        text_filter: Filter,
        *,
        timeout: float,
        on_failure: Callable[[Exception], Exception],
    ) -> None:
        self._inner = inner
        self._filter = text_filter
        self._timeout = timeout
        self._on_failure = on_failure

    @property
    def model(self) -> AskedLLM:
        return self._inner.model

    async def ask(
        self,
        context: llm.ChatContext,
        tools: Sequence[llm.Tool],
        *,
        on_finish: Callable[[str], None] | None = None,
        **options: Any,  # noqa: ANN401 - whatever the API has
    ) -> AsyncGenerator[llm.ChatChunk]:
        """A step as it comes. Raises the model's errors, and the error that `on_failure`
        returns."""
        # Reasoning does not pass the filter, so nobody sees it.
        options.pop("on_reasoning", None)
        step = _Step(self._timeout)
        asked = self._inner.ask(context, tools, on_finish=on_finish, **options)
        async with aclosing(asked) as answer:
            pieces = self._filter(step.texts(answer))
            try:
                while (piece := await step.pull(pieces)) is not None:
                    if piece:
                        delta = llm.ChoiceDelta(role="assistant", content=piece)
                        yield llm.ChatChunk(id=step.id, delta=delta)
            except Exception as error:
                # The boundary around the app's filter; the model's own errors pass through it.
                if error is step.model_error:
                    raise
                raise self._on_failure(error) from error
            finally:
                if isinstance(pieces, AsyncGenerator):
                    await pieces.aclose()
            # A filter may stop early and drop the rest of the text, but not the calls.
            async for _ in step.texts(answer):
                pass
            for chunk in step.others:
                yield chunk


class _Step:
    """One step: the text that the filter reads, and the other chunks."""

    def __init__(self, timeout: float) -> None:
        self.others: list[llm.ChatChunk] = []
        self.model_error: Exception | None = None
        self.id = ""
        self._timeout = timeout
        self._deadline: asyncio.Timeout | None = None

    async def texts(self, answer: AsyncIterable[llm.ChatChunk]) -> AsyncGenerator[str]:
        chunks = aiter(answer)
        while True:
            self._count(None)
            try:
                chunk = await anext(chunks)
            except StopAsyncIteration:
                self._count(self._timeout)
                return
            except Exception as error:
                self.model_error = error
                raise
            self._count(self._timeout)
            self.id = chunk.id or self.id
            delta = chunk.delta
            if delta is None or delta.tool_calls or delta.extra or not delta.content:
                self.others.append(_without_text(chunk))
            if delta is not None and delta.content:
                yield delta.content

    async def pull(self, pieces: AsyncIterator[str]) -> str | None:
        """The next piece of the filter; None at its end."""
        try:
            async with asyncio.timeout(self._timeout) as self._deadline:
                return await anext(pieces)
        except StopAsyncIteration:
            return None
        finally:
            self._deadline = None

    def _count(self, seconds: float | None) -> None:
        """The filter has so many seconds from now; None: it waits for the model."""
        if self._deadline is not None and not self._deadline.expired():
            now = asyncio.get_running_loop().time()
            self._deadline.reschedule(None if seconds is None else now + seconds)


def _without_text(chunk: llm.ChatChunk) -> llm.ChatChunk:
    if chunk.delta is None or not chunk.delta.content:
        return chunk
    return chunk.model_copy(update={"delta": chunk.delta.model_copy(update={"content": None})})
