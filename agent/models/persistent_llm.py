"""PersistentLLM: a model that is asked again where it fails before it has said anything."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any

from livekit.agents import APIError, APITimeoutError, llm

from agent.models.llm import ChatLLM

logger = logging.getLogger(__name__)

ShowFiles = Callable[[llm.ChatContext], Awaitable[llm.ChatContext]]
"""The context of one request: with what is in the files that the conversation's has by name."""

RETRY_DELAY = 0.5
"""Seconds between two attempts at a step of which nothing has been said yet."""


class PersistentLLM:
    """Asks for one step of an answer, with what is in files, a bounded number of times.

    A model that was silent for its whole timeout is not asked again: nobody waits it out twice.

    Attributes:
        model: what is asked.
    """

    def __init__(self, model: ChatLLM, *, retries: int, show_files: ShowFiles) -> None:
        self.model = model
        self._retries = retries
        self._show_files = show_files

    async def ask(
        self,
        context: llm.ChatContext,
        tools: Sequence[llm.Tool],
        **options: Any,  # noqa: ANN401 - whatever the API has
    ) -> AsyncGenerator[llm.ChatChunk]:
        """A step as it comes. Takes and raises what `ChatLLM.ask` does."""
        context = await self._show_files(context)
        for attempt in range(self._retries + 1):
            begun = False
            try:
                async with aclosing(self.model.ask(context, tools, **options)) as answer:
                    async for chunk in answer:
                        begun = True
                        yield chunk
            except APIError as error:
                final = attempt == self._retries or isinstance(error, APITimeoutError)
                if begun or final or not error.retryable:
                    raise
                logger.warning("the model failed, trying again: %s", type(error).__name__)
                await asyncio.sleep(RETRY_DELAY)
            else:
                return
