"""RetryingLLM: retries a model that fails before its first token."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any

from livekit.agents import APIError, APITimeoutError, llm

from agent.models.asked_llm import AskedLLM
from agent.models.openai_errors import describe, retry_after_of
from agent.models.request_cost import RequestCost
from agent.telemetry.metrics import MODEL_RETRIES

logger = logging.getLogger(__name__)

ShowFiles = Callable[[llm.ChatContext], Awaitable[llm.ChatContext]]
"""The context of one request: with the contents of files that the conversation's context has by
name."""

OnCost = Callable[[int, int], None]
"""Takes the tokens that the model read and wrote for one request."""


def _ignore_cost(_: int, __: int) -> None:
    pass


RETRY_DELAY = 0.5
"""Seconds between two attempts at a step that has not produced any text yet."""

MAX_RETRY_AFTER = 15.0
"""Longest `Retry-After` of a service, in seconds, that is waited for. If a service asks for more,
there is no retry: people would rather get an error than wait."""


class RetryingLLM:
    """Requests one step of an answer, with the contents of files, a bounded number of times.

    A model that was silent for its whole timeout is not retried: nobody should wait twice for it.

    Args:
        on_usage: called with the tokens of each step, where the service counts them.

    Attributes:
        model: what is asked.
    """

    def __init__(
        self,
        model: AskedLLM,
        *,
        retries: int,
        show_files: ShowFiles,
        on_usage: Callable[[llm.CompletionUsage], None] = lambda _: None,
        on_cost: OnCost = _ignore_cost,
    ) -> None:
        """
        Args:
            on_usage: called with the token counts that the service sends for a request.
            on_cost: called with the cost of each request, including those that failed or were
                cancelled.
        """
        self.model = model
        self._on_usage = on_usage
        self._retries = retries
        self._show_files = show_files
        self._on_cost = on_cost

    async def ask(
        self,
        context: llm.ChatContext,
        tools: Sequence[llm.Tool],
        **options: Any,  # noqa: ANN401 - whatever the API has
    ) -> AsyncGenerator[llm.ChatChunk]:
        """Streams a step. Arguments and errors are those of `AskedLLM.ask`."""
        context = await self._show_files(context)
        for attempt in range(self._retries + 1):
            begun = False
            cost = RequestCost(context)
            try:
                async with aclosing(self.model.ask(context, tools, **options)) as answer:
                    async for chunk in answer:
                        begun = True
                        if chunk.usage is not None:
                            self._on_usage(chunk.usage)
                        cost.add(chunk)
                        yield chunk
            except APIError as error:
                final = attempt == self._retries or isinstance(error, APITimeoutError)
                delay = _delay(error)
                if begun or final or not error.retryable or delay is None:
                    raise
                MODEL_RETRIES.add()
                logger.warning(
                    "model service failed, retrying in %.1f s: %s",
                    delay,
                    describe(error),
                )
                await asyncio.sleep(delay)
            else:
                return
            finally:
                if begun:
                    self._on_cost(*cost.tokens())


def _delay(error: APIError) -> float | None:
    """Seconds until the next attempt; None if there is no retry."""
    asked = retry_after_of(error)
    if asked is None:
        return RETRY_DELAY
    return max(asked, RETRY_DELAY) if asked <= MAX_RETRY_AFTER else None
