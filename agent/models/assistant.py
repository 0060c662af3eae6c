"""The Agent that answers: instructions, tools, and what to do when the model fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Protocol

from livekit.agents import Agent, APIError, APITimeoutError, ModelSettings, llm, utils

from agent.models.llm import ChatLLM

logger = logging.getLogger(__name__)

ShowFiles = Callable[[llm.ChatContext], Awaitable[llm.ChatContext]]
"""The context of one request: with what is in the files that the conversation's has by name."""


class Text(Protocol):
    """Takes what the model says."""

    def asked(self) -> None:
        """The model is asked now, for the first or for a further step."""

    def push(self, text: str) -> None:
        """The next piece; never waits."""

    def flush(self) -> None:
        """A step has no more text."""


RETRY_DELAY = 0.5
"""Seconds between two attempts at an answer of which nothing has been said yet."""


class Assistant(Agent):
    """Asks the model; tries again, a bounded number of times, while nothing has been said yet.

    The session's own retries are off: they would wait out a silent model several times over.
    A model that was silent for its whole timeout is not asked again.

    Attributes:
        text: where the model's text goes at once; None: the session hands it on, to be spoken.
    """

    def __init__(
        self,
        *,
        instructions: str,
        model: ChatLLM,
        tools: llm.Toolset,
        retries: int,
        show_files: ShowFiles,
    ) -> None:
        super().__init__(instructions=instructions, llm=model, tools=[tools])
        self._model = model
        self._retries = retries
        self._show_files = show_files
        self.text: Text | None = None

    async def llm_node(
        self,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool],
        model_settings: ModelSettings,
    ) -> AsyncIterable[llm.ChatChunk]:
        """Asks the model itself, with what is in files, and with retries of ours.

        The framework's own node would have three tasks read each answer, for metrics and traces
        of the request besides those of the node: a tenth of what a short answer costs.
        """
        chat_ctx = await self._show_files(chat_ctx)
        choice = model_settings.tool_choice
        options: dict[str, Any] = (
            {"tool_choice": choice} if tools and utils.is_given(choice) else {}
        )
        text = self.text
        if text is not None:
            text.asked()
        said: list[str] = []
        for attempt in range(self._retries + 1):
            begun = False
            try:
                async with aclosing(self._model.ask(chat_ctx, tools, **options)) as answer:
                    async for chunk in answer:
                        begun = True
                        if text is not None and chunk.delta is not None and chunk.delta.content:
                            text.push(chunk.delta.content)
                            said.append(chunk.delta.content)
                            chunk.delta.content = None
                            if not (chunk.delta.tool_calls or chunk.delta.extra):
                                continue
                        yield chunk
            except APIError as error:
                final = attempt == self._retries or isinstance(error, APITimeoutError)
                if begun or final or not error.retryable:
                    raise
                logger.warning("the model failed, trying again: %s", type(error).__name__)
                await asyncio.sleep(RETRY_DELAY)
            else:
                break
        if text is not None:
            text.flush()
        if said:
            # The session is told of a step's text at its end: it would carry each piece through a
            # dozen tasks.
            yield llm.ChatChunk(
                id="", delta=llm.ChoiceDelta(role="assistant", content="".join(said))
            )
