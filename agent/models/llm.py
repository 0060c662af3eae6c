"""Builds the LLM of a conversation from plain arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from livekit.agents.types import NOT_GIVEN

# The plugin registers itself when it is imported, which only the main thread may do.
from livekit.plugins.openai import LLM

from agent.models.openai_client import OpenAIClient
from agent.models.timeouts import Timeouts

if TYPE_CHECKING:
    from openai import AsyncClient


def build_client(
    *,
    base_url: str,
    api_key: str | None = None,
    timeouts: Timeouts | None = None,
    proxy: str | None = None,
) -> OpenAIClient:
    """Connections to a model service, to be shared by the conversations of an event loop."""
    return OpenAIClient(base_url=base_url, api_key=api_key, timeouts=timeouts, proxy=proxy)


def build_llm(
    client: OpenAIClient,
    *,
    model: str,
    temperature: float | None = None,
    max_completion_tokens: int | None = None,
) -> LLM:
    """An LLM for one AgentSession, which hears its errors and metrics: sessions do not share it.

    Closing it leaves the client open. None leaves a choice to the model.
    """
    return LLM(
        model=model,
        # It has what the plugin uses of the official client; the contract test holds it to that.
        client=cast("AsyncClient", client),
        temperature=NOT_GIVEN if temperature is None else temperature,
        max_completion_tokens=(
            NOT_GIVEN if max_completion_tokens is None else max_completion_tokens
        ),
    )
