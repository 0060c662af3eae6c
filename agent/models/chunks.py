"""The events of a streamed chat completion, decoded into the fields that are used.

https://platform.openai.com/docs/api-reference/chat/streaming. Events of other types are read by
agent.models.loose_chunks: a service that writes an index as a string works, but more slowly.
"""

from typing import Any

import msgspec


class FunctionDelta(msgspec.Struct):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None
    """JSON, or a piece of it; some services (llama.cpp, TGI) send the object itself."""


class ToolCallDelta(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: FunctionDelta | None = None
    name: str | None = None
    arguments: str | dict[str, Any] | None = None
    """Beside `function` in place of in it: Cloudflare's own form of calls."""

    extra_content: Any = None

    @property
    def called(self) -> FunctionDelta:
        """The function, wherever it stands."""
        return self.function or FunctionDelta(self.name, self.arguments)


class Delta(msgspec.Struct):
    content: str | list[Any] | None = None
    """Text; some services (Mistral) have it in parts, `[{"type": "text", "text": …}]`."""

    refusal: str | None = None
    reasoning_content: str | None = None
    """The model's thoughts: DeepSeek, Kimi, SGLang, llama.cpp, vLLM until 0.11 …"""

    reasoning: str | None = None
    """The same: OpenRouter, Groq, Ollama, vLLM since 0.11."""

    tool_calls: list[ToolCallDelta] | None = None
    function_call: FunctionDelta | None = None
    """The predecessor of `tool_calls`, until November 2023."""

    extra_content: Any = None


class Choice(msgspec.Struct):
    delta: Delta | None = None
    finish_reason: str | None = None
    index: int | None = 0
    message: Delta | None = None
    """The whole answer, in a response that is no stream."""

    text: str | None = None
    """A piece of text in the form of plain completions: `object` is `text_completion`."""

    error: Any = None
    """OpenRouter: the provider's error, with finish reason `error`."""


class PromptTokensDetails(msgspec.Struct):
    cached_tokens: int | float | None = None
    cache_write_tokens: int | float | None = None


class CompletionTokensDetails(msgspec.Struct):
    reasoning_tokens: int | float | None = None


class Usage(msgspec.Struct):
    prompt_tokens: int | float | None = None
    completion_tokens: int | float | None = None
    total_tokens: int | float | None = None
    prompt_tokens_details: PromptTokensDetails | None = None
    completion_tokens_details: CompletionTokensDetails | None = None


class Chunk(msgspec.Struct):
    """An event of the stream, or a whole response; `error` is set where the service failed."""

    id: str | None = None
    choices: list[Choice] | None = None
    usage: Usage | None = None
    service_tier: str | None = None
    error: Any = None


def only_text(chunk: Chunk) -> Delta | None:
    """The delta of a chunk that has nothing but text."""
    choices = chunk.choices
    if choices is None or len(choices) != 1 or chunk.usage is not None:
        return None
    choice = choices[0]
    delta = choice.delta
    if (
        delta is None
        or not isinstance(delta.content, str)
        or choice.finish_reason
        or delta.reasoning_content
        or delta.reasoning
        or delta.refusal
        or delta.tool_calls
        or delta.function_call
        or delta.extra_content
        or choice.index
    ):
        return None
    return delta
