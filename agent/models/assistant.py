"""The Agent that answers: instructions, tools, and what to do when the model fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, Awaitable, Callable
from typing import Any

from livekit.agents import Agent, APIError, APITimeoutError, ModelSettings, llm

logger = logging.getLogger(__name__)

ShowFiles = Callable[[llm.ChatContext], Awaitable[llm.ChatContext]]
"""The context of one request: with what is in the files that the conversation's has by name."""

RETRY_DELAY = 0.5
"""Seconds between two attempts at an answer of which nothing has been said yet."""


class Assistant(Agent):
    """Asks the model; tries again, a bounded number of times, while nothing has been said yet.

    The session's own retries are off: they would wait out a silent model several times over.
    A model that was silent for its whole timeout is not asked again.
    """

    def __init__(
        self,
        *,
        instructions: str,
        model: llm.LLM[Any],
        tools: llm.Toolset,
        retries: int,
        show_files: ShowFiles,
    ) -> None:
        super().__init__(instructions=instructions, llm=model, tools=[tools])
        self._retries = retries
        self._show_files = show_files

    async def llm_node(
        self,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool],
        model_settings: ModelSettings,
    ) -> AsyncIterable[llm.ChatChunk]:
        """The framework's own node, with what is in files, and with retries of ours."""
        chat_ctx = await self._show_files(chat_ctx)
        for attempt in range(self._retries + 1):
            said = False
            try:
                async for chunk in Agent.default.llm_node(self, chat_ctx, tools, model_settings):
                    if isinstance(chunk, llm.ChatChunk):
                        said = True
                        yield chunk
            except APIError as error:
                final = attempt == self._retries or isinstance(error, APITimeoutError)
                if said or final or not error.retryable:
                    raise
                logger.warning("the model failed, trying again: %s", type(error).__name__)
                await asyncio.sleep(RETRY_DELAY)
            else:
                return
