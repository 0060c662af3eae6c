"""Sampler: asks the model something for a tool, outside of the conversation."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from livekit.agents import APIError, llm

from agent.models.asked_llm import AskedLLM
from agent.models.request_cost import BYTES_PER_TOKEN, RequestCost
from toolkit.errors import Unavailable
from toolkit.questions import Sampled, Sampling

if TYPE_CHECKING:
    from agent.models.request_cost import OnAsked

logger = logging.getLogger(__name__)

MAX_BYTES: Final = 65_536
"""Characters of an answer; a longer one is cut."""

TIMEOUT: Final = 60.0
"""Seconds that an answer may take."""


class Sampler:
    """Asks the app's model, without tools and without the room's conversation.

    Args:
        open_llm: makes an LLM, which is closed again.
        timeout: seconds of silence of the model.
    """

    def __init__(self, open_llm: Callable[[], AskedLLM], *, timeout: float) -> None:
        self._open_llm = open_llm
        self._timeout = timeout

    async def sample(self, sampling: Sampling, on_asked: OnAsked) -> Sampled:
        """The answer. Raises Unavailable: the model fails, takes too long, or says nothing."""
        context = llm.ChatContext.empty()
        if sampling.system_prompt:
            context.add_message(role="system", content=sampling.system_prompt)
        for role, text in sampling.messages:
            context.add_message(role=role, content=text)
        try:
            async with asyncio.timeout(TIMEOUT):
                return await self._ask(context, sampling.max_tokens, on_asked)
        except (APIError, TimeoutError) as error:
            logger.warning("a tool's request to the model failed: %s", type(error).__name__)
            raise Unavailable("The model did not answer") from None

    async def _ask(self, context: llm.ChatContext, max_tokens: int, on_asked: OnAsked) -> Sampled:
        begun = False
        limit = min(max(max_tokens, 1) * BYTES_PER_TOKEN, MAX_BYTES)
        said = bytearray()
        cost = RequestCost(context)
        model = self._open_llm()
        try:
            async with aclosing(model.ask(context, silence=self._timeout)) as answer:
                async for chunk in answer:
                    begun = True
                    cost.add(chunk)
                    said += ((chunk.delta and chunk.delta.content) or "").encode()
                    if len(said) > limit:
                        break
        finally:
            if begun:  # Also if it has only reasoned and said nothing.
                on_asked(model.model, *cost.tokens())
            name = model.model
            await model.aclose()
        text = said[:limit].decode(errors="ignore").strip()
        if not text:
            raise Unavailable("The model said nothing")
        return Sampled(text, name, is_cut=len(said) > limit)
