"""ChatLLM: an LLM over chat completions, and how one is built from plain arguments."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

from livekit.agents import APIError, llm, utils
from livekit.agents.inference.llm import drop_unsupported_params, min_reasoning_effort
from livekit.agents.types import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectOptions,
    NotGivenOr,
)

from agent.models.asked_llm import AskedLLM
from agent.models.completion import CompletionReader
from agent.models.context_messages import context_messages
from agent.models.dialect import Dialect
from agent.models.openai_client import OpenAIClient
from agent.models.openai_errors import EndedEarlyError, status_of
from agent.models.timeouts import Timeouts
from agent.models.visible_text import VisibleText
from agent.telemetry import spans
from agent.telemetry.metrics import MODEL_SECONDS, TOKENS

logger = logging.getLogger(__name__)

OpenSlot = Callable[[], AbstractAsyncContextManager[None]]


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
    slot: OpenSlot = nullcontext,
) -> ChatLLM:
    """An LLM for one AgentSession, which hears its errors: sessions do not share it.

    Closing it leaves the client open. None leaves a choice to the model.
    """
    options: dict[str, object] = {
        "temperature": temperature,
        "max_completion_tokens": max_completion_tokens,
        "reasoning_effort": min_reasoning_effort(model),
    }
    given = {name: value for name, value in options.items() if value is not None}
    return ChatLLM(client, model=model, options=given, slot=slot)


class ChatLLM(AskedLLM):
    """Makes the same requests as livekit-plugins-openai's LLM, with the same results; the contract
    test holds it to that. Docs: docs/adr/0018-text-without-the-plugin.md.
    """

    def __init__(
        self,
        client: OpenAIClient,
        *,
        model: str,
        options: dict[str, object],
        slot: OpenSlot = nullcontext,
    ) -> None:
        """`slot` opens a context that each request holds while it runs."""
        super().__init__()
        self._slot = slot
        self._client = client
        self._model = model
        self._options = options
        self._tools: list[llm.Tool] = []
        self._described: list[dict[str, Any]] = []

    @property
    def model(self) -> str:
        return self._model

    @property
    def provider(self) -> str:
        """The host and port of the service, as the plugin has it."""
        return self._client.netloc

    async def _prewarm_impl(self) -> None:
        await self._client.models()

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
        """Streams an answer of the model, without the tasks and the records of `chat`.

        Args:
            silence: seconds without data from the service, if shorter than the client's limit.
            on_finish: called with the finish reason (`stop`, `length`, `tool_calls`,
                `content_filter` …), for which livekit-agents' chunks have no field.
            on_reasoning: called with each piece of the model's reasoning, for which they have none
                either.
            options: fields of the request besides those that the LLM has.

        Raises:
            APIError: the service fails; not `retryable` once part of an answer has arrived.
        """
        body = self.request(context, tools, **options)
        dialect = self._client.dialect(self._model)
        reader = CompletionReader(
            opens_thinking=dialect.opens_thinking,
            taken_ids=_call_ids(context),
            on_reasoning=on_reasoning,
        )
        said = False
        began = time.monotonic()
        span = self._begin_span()
        try:
            async with self._slot(), await self._client.complete(body, silence=silence) as stream:
                async for event in stream:
                    for chunk in reader.read(event):
                        said = said or chunk.has_response()
                        yield chunk
        except APIError as error:
            self._client.health.failed(error)
            span.fail(str(status_of(error) or type(error).__name__))
            if not (isinstance(error.__cause__, EndedEarlyError) and reader.has_whole_calls):
                for chunk in reader.rest(complete=False):
                    said = said or chunk.has_response()
                    yield chunk
                error.retryable = error.retryable and not said
                raise
            logger.debug("answer ended without finish reason; running its complete tool calls")
        else:
            self._client.health.answered()
        finally:
            self._end_span(span, reader)
        self._count(reader, time.monotonic() - began)
        for chunk in reader.rest(complete=True):
            yield chunk
        if reader.finish_reason is not None and on_finish is not None:
            on_finish(reader.finish_reason)
        _note_thinking(dialect, reader.text, self._model)

    def _begin_span(self) -> spans.Span:
        return spans.begin(
            f"chat {self._model}",
            gen_ai__operation__name="chat",
            gen_ai__provider__name="openai",
            gen_ai__request__model=self._model,
            server__address=self._client.netloc,
        )

    @staticmethod
    def _end_span(span: spans.Span, reader: CompletionReader) -> None:
        usage, reason = reader.usage, reader.finish_reason
        span.set(
            gen_ai__response__finish_reasons=None if reason is None else [reason],
            gen_ai__usage__input_tokens=None if usage is None else usage.prompt_tokens,
            gen_ai__usage__output_tokens=None if usage is None else usage.completion_tokens,
        )
        span.end()

    def _count(self, reader: CompletionReader, seconds: float) -> None:
        MODEL_SECONDS.observe(seconds, self._model)
        if (usage := reader.usage) is not None:
            TOKENS.add(self._model, "input", by=usage.prompt_tokens)
            TOKENS.add(self._model, "cached", by=usage.prompt_cached_tokens)
            TOKENS.add(self._model, "output", by=usage.completion_tokens)
            TOKENS.add(self._model, "reasoning", by=usage.reasoning_tokens)

    def request(
        self,
        context: llm.ChatContext,
        tools: Sequence[llm.Tool] = (),
        **options: Any,  # noqa: ANN401 - whatever the API has
    ) -> dict[str, object]:
        """The body of the request that `ask` makes."""
        body: dict[str, object] = {
            "model": self._model,
            "messages": context_messages(context),
            **drop_unsupported_params(self._model, {**self._options, **options}, list(tools)),
        }
        if tools:
            body["tools"] = self._describe(list(tools))
        return body

    def _describe(self, tools: list[llm.Tool]) -> list[dict[str, Any]]:
        """Tools in the form of a request; most often they are those of the answer before."""
        if tools != self._tools:
            self._described = llm.ToolContext(tools).parse_function_tools("openai")
            self._tools = tools
        return self._described

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
        """The same with livekit-agents' retries, metrics and traces."""
        options: dict[str, Any] = dict(extra_kwargs or {})
        if utils.is_given(parallel_tool_calls):
            options["parallel_tool_calls"] = parallel_tool_calls
        if utils.is_given(tool_choice) and tools:
            options["tool_choice"] = tool_choice
        return _ChatStream(self, chat_ctx, tools or [], conn_options, options)


class _ChatStream(llm.LLMStream):
    def __init__(
        self,
        model: ChatLLM,
        context: llm.ChatContext,
        tools: list[llm.Tool],
        conn_options: APIConnectOptions,
        options: dict[str, Any],
    ) -> None:
        super().__init__(model, chat_ctx=context, tools=tools, conn_options=conn_options)
        self._model = model
        self._options = options

    async def _run(self) -> None:
        answer = self._model.ask(
            self._chat_ctx, self._tools, silence=self._conn_options.timeout, **self._options
        )
        async for chunk in answer:
            self._event_ch.send_nowait(chunk)


def _call_ids(context: llm.ChatContext) -> frozenset[str]:
    return frozenset(item.call_id for item in context.items if item.type == "function_call")


def _note_thinking(dialect: Dialect, text: VisibleText, model: str) -> None:
    """Learns from an answer whether those of this model begin with reasoning without a tag."""
    if text.lone_end:
        if not dialect.opens_thinking:
            logger.warning(
                "the reasoning of %s has an end but no beginning; buffering its answers until their"
                " reasoning ends (a reasoning parser in the model service avoids this)",
                model,
            )
        dialect.note_lone_end()
    elif text.held_in_vain:
        dialect.note_no_end()
