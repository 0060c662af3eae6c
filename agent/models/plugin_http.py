"""PluginHttp: the HTTP session that plugins of livekit-agents look for."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from contextvars import Context, copy_context

from livekit.agents.utils import http_context


class PluginHttp:
    """One session for all rooms of a process: a job has one in its own thread alone."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._own: Context | None = None
        """A context that has nothing but the session."""

    async def open(self) -> None:
        """Opens it, unless it is open."""
        async with self._opening:
            if self._own is None:
                own = Context()
                opening = self._stack.enter_async_context(http_context.open())
                await asyncio.create_task(opening, context=own, name="connections of plugins")
                self._own = own

    def context(self) -> Context:
        """A copy of the caller's context in which plugins find the session, once it is open.

        The rest of the context stays the caller's, so that log lines keep the room's fields and the
        span.
        """
        assert self._own is not None  # noqa: S101 - see above
        context = copy_context()
        for variable, value in self._own.items():
            context.run(variable.set, value)
        return context

    async def aclose(self) -> None:
        if self._own is not None:
            await asyncio.create_task(
                self._stack.aclose(), context=self._own, name="connections of plugins"
            )
