"""SharedLLM: an LLM of the app's, which the conversations of a process share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, TypeAlias, cast

from livekit.agents import APIConnectionError, llm

from agent.app.realtime_models import OF_AN_AGENT
from agent.models.main_thread import OnMainThread
from agent.models.plugin_http import PluginHttp

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
        self._http = PluginHttp()

    async def chat(self, **arguments: Any) -> llm.LLMStream:  # noqa: ANN401 - those of LLM.chat
        """Asks it; raises as `made` does."""
        model = await self.made()
        await self._http.open()
        return self._http.context().run(lambda: model.chat(**arguments))

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
        await self._http.aclose()

    def _try_to_make(self) -> None:
        if self._llm is not None or isinstance(self._model, llm.LLM):
            return
        try:
            made = cast("object", self._model())
        except Exception:
            # The boundary around the app's own function.
            logger.exception("the app's model function failed; answers that use it fail")
            return
        if isinstance(made, llm.LLM):
            self._llm = cast("llm.LLM[Any]", made)
        else:
            logger.error(
                "the app's model function returned a %s, expected an LLM%s; answers that use it "
                "fail",
                type(made).__name__,
                OF_AN_AGENT if isinstance(made, llm.RealtimeModel) else "",
            )
