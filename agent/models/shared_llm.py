"""SharedLLM: an LLM of the app's, which the conversations of a process share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from contextvars import Context, copy_context
from typing import Any, TypeAlias, cast

from livekit.agents import APIConnectionError, llm
from livekit.agents.utils import http_context

from agent.models.main_thread import OnMainThread

logger = logging.getLogger(__name__)

AppLLM: TypeAlias = "llm.LLM[Any] | Callable[[], llm.LLM[Any]]"


class SharedLLM:
    """Made when it is first asked, where the app has a function.

    The function runs on the main thread: plugins are registered there only, and the import of one
    would hold up all rooms of the process.
    """

    def __init__(self, model: AppLLM, on_main_thread: OnMainThread) -> None:
        self._model = model
        self._llm: llm.LLM[Any] | None = (
            cast("llm.LLM[Any]", model) if isinstance(model, llm.LLM) else None
        )
        self._on_main_thread = on_main_thread
        self._making = asyncio.Lock()
        self._http = AsyncExitStack()
        self._context: Context | None = None
        """Where plugins find an HTTP session: a job has one in its own thread alone."""

    async def chat(self, **arguments: Any) -> llm.LLMStream:  # noqa: ANN401 - those of LLM.chat
        """Asks it; raises what `made` does."""
        model = await self.made()
        if self._context is None:
            async with self._making:
                await self._open()
        assert self._context is not None  # noqa: S101 - it is open
        return self._context.copy().run(lambda: model.chat(**arguments))

    async def made(self) -> llm.LLM[Any]:
        """Makes it, unless it is made.

        Raises:
            APIConnectionError: the function failed.
        """
        async with self._making:
            if self._llm is None:
                await self._on_main_thread(self._try_to_make)
        return self._given()

    def make(self) -> llm.LLM[Any]:
        """As `made`, on the thread of the caller: for livekit-agents' own code."""
        self._try_to_make()
        return self._given()

    def _given(self) -> llm.LLM[Any]:
        if self._llm is None:
            raise APIConnectionError("no model", retryable=False)
        return self._llm

    async def aclose(self) -> None:
        if self._llm is not None:
            await self._llm.aclose()
        if self._context is not None:
            closing = self._http.aclose()
            await asyncio.create_task(closing, context=self._context, name="connections of an LLM")

    async def _open(self) -> None:
        if self._context is None:
            context = copy_context()
            opening = self._http.enter_async_context(http_context.open())
            await asyncio.create_task(opening, context=context, name="connections of an LLM")
            self._context = context

    def _try_to_make(self) -> None:
        if self._llm is not None or isinstance(self._model, llm.LLM):
            return
        try:
            self._llm = self._model()
        except Exception:
            # The boundary around the app's own function.
            logger.exception("the app's model function failed; answers that use it fail")
