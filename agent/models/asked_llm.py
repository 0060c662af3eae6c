"""AskedLLM: the source of answers: the model service, a plugin's LLM, or several in order."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from livekit.agents import llm


class AskedLLM(llm.LLM[Any]):
    """An LLM that streams a step of an answer without the tasks and the records of `chat`.

    Each conversation has its own: an AgentSession listens to the errors of its LLM.
    """

    @abstractmethod
    def ask(
        self,
        context: llm.ChatContext,
        tools: Sequence[llm.Tool] = (),
        *,
        silence: float | None = None,
        on_finish: Callable[[str], None] | None = None,
        on_reasoning: Callable[[str], None] | None = None,
        **options: Any,  # noqa: ANN401 - whatever the API has
    ) -> AsyncGenerator[llm.ChatChunk]:
        """Streams one step.

        Args:
            silence: seconds without data from the service, if shorter than the LLM's own limit.
            on_finish: called with the service's finish reason, if it sends one.
            on_reasoning: called with each piece of the model's reasoning, if the service shows it.
            options: further fields of the request, such as `tool_choice`.

        Raises:
            APIError: the service failed; not `retryable` once part of an answer has arrived.
        """
        ...
