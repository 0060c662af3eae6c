"""SessionLLM: the app's or the worker's model as the LLM of an AgentSession."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

from livekit.agents import APIConnectOptions, llm
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, NotGivenOr
from livekit.agents.utils import is_given

from agent.models.assistant import Assistant


class SessionLLM(llm.LLM[Any]):
    """Asks the model of an Assistant: with its retries, the files of the conversation, its limits
    and its counts of tokens, as for every other answer.

    `finish_reason` is the model's own for its last request, once that has ended.
    """

    def __init__(self, assistant: Assistant) -> None:
        super().__init__()
        self.finish_reason: str | None = None
        self._assistant = assistant

    @property
    def model(self) -> str:
        return self._assistant.model.model.model

    @property
    def provider(self) -> str:
        return self._assistant.model.model.provider

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
        given = {"parallel_tool_calls": parallel_tool_calls, "tool_choice": tool_choice}
        options = {name: value for name, value in given.items() if tools and is_given(value)}
        if is_given(extra_kwargs):
            options |= extra_kwargs
        # The model does its own retries, and has a timeout for each request.
        once = APIConnectOptions(max_retry=0, timeout=conn_options.timeout)
        return _Step(self, self._assistant, options, chat_ctx=chat_ctx, tools=tools, once=once)


class _Step(llm.LLMStream):
    def __init__(
        self,
        model: SessionLLM,
        assistant: Assistant,
        options: dict[str, Any],
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None,
        once: APIConnectOptions,
    ) -> None:
        self._model = model
        self._assistant = assistant
        self._options = options
        super().__init__(model, chat_ctx=chat_ctx, tools=tools or [], conn_options=once)

    async def _run(self) -> None:
        self._model.finish_reason = None
        asked = self._assistant.model.ask(
            self.chat_ctx, self.tools, on_finish=self._on_finish, **self._options
        )
        async with aclosing(asked) as answer:
            async for chunk in answer:
                self._event_ch.send_nowait(chunk)

    def _on_finish(self, reason: str) -> None:
        self._model.finish_reason = reason
