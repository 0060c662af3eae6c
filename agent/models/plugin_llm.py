"""PluginLLM: an LLM of a livekit-agents plugin, asked as the model service is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, Final

from livekit.agents import APIConnectOptions, APIError, APITimeoutError, llm

from agent.models.delegating_llm import DelegatingLLM
from agent.models.shared_llm import SharedLLM

_CHAT_ARGUMENTS: Final = ("tool_choice", "parallel_tool_calls")


class PluginLLM(DelegatingLLM):
    """Asks an LLM that the conversations of a process share, which it does not close.

    The caller does the retries and sets the timeout: many plugins wait for a minute and more for
    the first byte of a silent service.

    Args:
        shared: returns the LLM; raises APIError if the app's function does not make one.
        silence: seconds without a chunk after which the service has failed.
    """

    def __init__(self, shared: SharedLLM, *, silence: float) -> None:
        super().__init__()
        self._shared = shared
        self._silence = silence

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
        patience = min(self._silence, silence or self._silence)
        arguments = {name: options.pop(name) for name in _CHAT_ARGUMENTS if name in options}
        if options:
            arguments["extra_kwargs"] = options
        stream = await self._shared.chat(
            chat_ctx=context,
            tools=list(tools),
            conn_options=APIConnectOptions(max_retry=0, timeout=patience),
            **arguments,
        )
        said = False
        try:
            async with stream:
                while (chunk := await _next(stream, patience)) is not None:
                    said = said or chunk.has_response()
                    yield chunk
        except APIError as error:
            error.retryable = error.retryable and not said
            raise

    def _delegate(self) -> llm.LLM[Any]:
        return self._shared.make()


async def _next(chunks: llm.LLMStream, patience: float) -> llm.ChatChunk | None:
    """The next chunk; None at the end."""
    try:
        async with asyncio.timeout(patience):
            return await anext(chunks)
    except StopAsyncIteration:
        return None
    except TimeoutError as error:
        raise APITimeoutError(f"no answer within {patience:g} s") from error
