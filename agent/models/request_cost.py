"""RequestCost: the tokens of one request to a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from livekit.agents import llm

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    OnAsked = Callable[[str, int, int], None]
    """Takes the model's name, and the tokens that it read and wrote for one request."""

BYTES_PER_TOKEN: Final = 4
"""UTF-8 bytes per token, if the service does not report tokens."""


class RequestCost:
    """Takes the service's counts, or an estimate if there are none: a service that reports nothing,
    an answer that broke off or was cancelled."""

    def __init__(self, context: llm.ChatContext) -> None:
        self._context = context
        self._usage: llm.CompletionUsage | None = None
        self._written = 0

    def add(self, chunk: llm.ChatChunk) -> None:
        """Counts a piece of the answer."""
        delta = chunk.delta
        if delta is not None and delta.content:
            self._written += _bytes(delta.content)
        if chunk.usage is not None:
            self._usage = chunk.usage

    def tokens(self) -> tuple[int, int]:
        """Tokens that the model read, and that it wrote; never negative."""
        usage = self._usage
        if usage is not None and (usage.prompt_tokens > 0 or usage.completion_tokens > 0):
            return max(usage.prompt_tokens, 0), max(usage.completion_tokens, 0)
        read = _bytes("".join(_texts(self._context.items)))
        return -(-read // BYTES_PER_TOKEN), -(-self._written // BYTES_PER_TOKEN)


def _texts(items: Sequence[llm.ChatItem]) -> list[str]:
    """The texts that a model reads: one pass, since a context has hundreds of messages."""
    texts: list[str] = []
    for item in items:
        if item.type == "message":
            # Not `text_content`, which looks for a voice's markup in each message.
            texts += [part for part in item.content if type(part) is str]
        elif item.type == "function_call":
            texts.append(item.arguments)
        elif item.type == "function_call_output":
            texts.append(item.output)
    return texts


def _bytes(text: str) -> int:
    """The length in UTF-8 bytes."""
    return len(text) if text.isascii() else len(text.encode(errors="replace"))
