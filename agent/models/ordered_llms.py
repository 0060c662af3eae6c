"""OrderedLLMs: several models in order; the next one is asked if one fails before its first
token."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any, Final

from livekit.agents import APIError, llm

from agent.models.asked_llm import AskedLLM
from agent.models.delegating_llm import DelegatingLLM
from agent.models.openai_errors import describe

logger = logging.getLogger(__name__)

FIRST_TOKEN: Final = 10.0
"""Seconds of silence before the first token after which the next model is asked: a silent
connection is a failure like an unreachable service."""


class OrderedLLMs(DelegatingLLM):
    """Asks the first of several models, and the next one if it fails before its first token.

    The last one gets the timeouts of a single model. Each answer begins with the first again: a
    model that is back is used at once.
    """

    def __init__(self, models: Sequence[AskedLLM]) -> None:
        super().__init__()
        self._models = models

    async def ask(
        self,
        context: llm.ChatContext,
        tools: Sequence[llm.Tool] = (),
        *,
        silence: float | None = None,
        on_finish: Callable[[str], None] | None = None,
        on_reasoning: Callable[[str], None] | None = None,
        **options: Any,  # noqa: ANN401 - whatever the API has
    ) -> AsyncGenerator[llm.ChatChunk]:
        options |= {"on_finish": on_finish, "on_reasoning": on_reasoning}
        for number, model in enumerate(self._models, start=1):
            is_last = number == len(self._models)
            said = False
            patience = silence if is_last else min(FIRST_TOKEN, silence or FIRST_TOKEN)
            asked = model.ask(context, tools, silence=patience, **options)
            try:
                async with aclosing(asked) as answer:
                    async for chunk in answer:
                        said = said or chunk.has_response()
                        yield chunk
            except APIError as error:
                if said or is_last:
                    raise
                logger.warning(
                    "model %d of %d failed before its first token, asking the next one: %s",
                    number,
                    len(self._models),
                    describe(error),
                )
            else:
                return

    def _delegate(self) -> AskedLLM:
        return self._models[0]
