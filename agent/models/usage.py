"""Usage: the tokens that requests to a model took, as the service counted them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from livekit.agents.llm import CompletionUsage


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens; all 0 if the service does not count them.

    Attributes:
        requests: number of counted requests.
        input: tokens that the model read, those from its cache included.
        cached: input tokens from the service's cache.
        output: tokens that the model wrote, reasoning included.
        reasoning: output tokens of hidden reasoning.
    """

    requests: int = 0
    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0

    @classmethod
    def of(cls, usage: CompletionUsage) -> Self:
        """The usage of one request."""
        return cls(
            1,
            usage.prompt_tokens,
            usage.prompt_cached_tokens,
            usage.completion_tokens,
            usage.reasoning_tokens,
        )

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.requests + other.requests,
            self.input + other.input,
            self.cached + other.cached,
            self.output + other.output,
            self.reasoning + other.reasoning,
        )


class UsageTally:
    """Adds up the tokens of one conversation, answer by answer."""

    def __init__(self) -> None:
        self._usage = Usage()

    def add(self, usage: CompletionUsage) -> None:
        """The service's token counts of one request."""
        self._usage += Usage.of(usage)

    def take(self) -> Usage:
        """The usage since the last call."""
        usage, self._usage = self._usage, Usage()
        return usage
