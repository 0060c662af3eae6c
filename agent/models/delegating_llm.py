"""DelegatingLLM: an AskedLLM whose `chat` is that of another LLM."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from livekit.agents import APIConnectOptions, llm
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, NotGivenOr

from agent.models.asked_llm import AskedLLM


class DelegatingLLM(AskedLLM):
    """Delegates `chat`, which only livekit-agents' own code calls, to the wrapped LLM."""

    @abstractmethod
    def _delegate(self) -> llm.LLM[Any]:
        """The LLM that takes the calls of `chat`."""
        ...

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        parallel_tool_calls: NotGivenOr[bool] = NOT_GIVEN,
        tool_choice: NotGivenOr[llm.ToolChoice] = NOT_GIVEN,
        extra_kwargs: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
    ) -> llm.LLMStream:
        return self._delegate().chat(
            chat_ctx=chat_ctx,
            tools=tools,
            conn_options=conn_options,
            parallel_tool_calls=parallel_tool_calls,
            tool_choice=tool_choice,
            extra_kwargs=extra_kwargs,
        )
