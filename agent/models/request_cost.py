"""RequestCost: the tokens of one request to a model."""

from __future__ import annotations

from typing import Final

from livekit.agents import llm

BYTES_PER_TOKEN: Final = 4
"""Of UTF-8, where the service does not say how many tokens there were."""


class RequestCost:
    """Takes the service's word for it, and an estimate where there is none: a service that reports
    nothing, an answer that broke off or was given up."""

    def __init__(self, context: llm.ChatContext) -> None:
        self._context = context
        self._usage: llm.CompletionUsage | None = None
        self._written = 0

    def add(self, chunk: llm.ChatChunk) -> None:
        """A piece of the answer."""
        delta = chunk.delta
        if delta is not None and delta.content:
            self._written += len(delta.content.encode(errors="replace"))
        if chunk.usage is not None:
            self._usage = chunk.usage

    def tokens(self) -> tuple[int, int]:
        """Tokens that the model read, and that it wrote; never negative."""
        usage = self._usage
        if usage is not None and (usage.prompt_tokens > 0 or usage.completion_tokens > 0):
            return max(usage.prompt_tokens, 0), max(usage.completion_tokens, 0)
        read = sum(_size(item) for item in self._context.items)
        return -(-read // BYTES_PER_TOKEN), -(-self._written // BYTES_PER_TOKEN)


def _size(item: llm.ChatItem) -> int:
    match item:
        case llm.ChatMessage():
            return len((item.text_content or "").encode(errors="replace"))
        case llm.FunctionCall():
            return len(item.arguments.encode(errors="replace"))
        case llm.FunctionCallOutput():
            return len(item.output.encode(errors="replace"))
        case _:
            return 0
