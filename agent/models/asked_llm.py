"""AskedLLM: what answers are asked of: the model service, a plugin's LLM, or several in order."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from livekit.agents import llm


class AskedLLM(llm.LLM[Any]):
    """An LLM that gives a step of an answer without the tasks and the records of `chat`.

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
        """A step as it comes.

        Args:
            silence: seconds without anything from the service, if shorter than the LLM's own.
            on_finish: told why the model stopped, where the service says so.
            on_reasoning: told each piece of what the model thinks, where the service shows it.
            options: further fields of the request, such as `tool_choice`.

        Raises:
            APIError: the service fails; not `retryable` once there was something of an answer.
        """
        ...
