"""UsageCount: the tokens of a room, as the model service counts them."""

from __future__ import annotations

from livekit.agents import llm


class UsageCount:
    """Sums the token counts of requests to the model service.

    Attributes:
        input_tokens, cached_tokens, output_tokens: of all requests; cached tokens are part of the
            input tokens.
    """

    def __init__(self) -> None:
        self.input_tokens = 0
        self.cached_tokens = 0
        self.output_tokens = 0

    def add(self, usage: llm.CompletionUsage) -> None:
        """Counts one request."""
        self.input_tokens += usage.prompt_tokens
        self.cached_tokens += usage.prompt_cached_tokens
        self.output_tokens += usage.completion_tokens
