"""Builds the LLM of a conversation from plain arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from livekit.agents import llm, utils
from livekit.agents.inference import LLMStream
from livekit.agents.inference.llm import min_reasoning_effort
from livekit.agents.types import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectOptions,
    NotGivenOr,
)

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
) -> ChatLLM:
    """An LLM for one AgentSession, which hears its errors and metrics: sessions do not share it.

    Closing it leaves the client open. None leaves a choice to the model.
    """
    options: dict[str, object] = {
        "temperature": temperature,
        "max_completion_tokens": max_completion_tokens,
        "reasoning_effort": min_reasoning_effort(model),
    }
    given = {name: value for name, value in options.items() if value is not None}
    return ChatLLM(client, model=model, options=given)


class ChatLLM(llm.LLM[Any]):
    """Chat completions, read by livekit-agents' own stream of them.

    It asks for what livekit-plugins-openai's LLM asks for; the contract test holds it to that. The
    plugin itself would bring the types of OpenAI's voice and assistants into every process: see
    docs/adr/0018-text-without-the-plugin.md.
    """

    def __init__(self, client: OpenAIClient, *, model: str, options: dict[str, object]) -> None:
        super().__init__()
        self._client = client
        self._model = model
        self._options = options

    @property
    def model(self) -> str:
        return self._model

    @property
    def provider(self) -> str:
        """The host and port of the service, as the plugin has it."""
        return self._client.netloc

    async def _prewarm_impl(self) -> None:
        await self._client.models.list()

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        parallel_tool_calls: NotGivenOr[bool] = NOT_GIVEN,
        tool_choice: NotGivenOr[llm.ToolChoice] = NOT_GIVEN,
        extra_kwargs: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
    ) -> LLMStream:
        options = {**self._options, **(extra_kwargs or {})}
        if utils.is_given(parallel_tool_calls):
            options["parallel_tool_calls"] = parallel_tool_calls
        if utils.is_given(tool_choice):
            options["tool_choice"] = tool_choice
        return LLMStream(
            self,
            model=self._model,
            strict_tool_schema=True,
            # It has what the stream uses of the official client.
            client=cast("AsyncClient", self._client),
            chat_ctx=chat_ctx,
            tools=tools or [],
            conn_options=conn_options,
            extra_kwargs=options,
        )
