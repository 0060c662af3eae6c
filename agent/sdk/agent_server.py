"""SdkServer: an AgentServer with hooks for its pages, its connection and its load.

livekit-agents has no public API for any of them (livekit/agents/worker.py). If private parts have
changed, the feature is disabled, with one warning. tests/agent/sdk/test_agent_server.py holds
livekit-agents to the shapes.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
from typing import TYPE_CHECKING, Any, Final

from livekit.agents import AgentServer, utils
from livekit.agents.utils.aio import ChanClosed
from livekit.agents.utils.http_server import HttpServer

from agent.sdk.patches import PROCESS, has_attributes, mentions

if TYPE_CHECKING:
    from collections.abc import Callable

    import aiohttp
    from aiohttp import web

logger = logging.getLogger(__name__)

_REPORT: Final = ("_invoke_load_fnc", "_update_worker_status")


class SdkServer(AgentServer):
    """An AgentServer whose `load_fnc` takes no argument and no time, and which may report at once
    that the load has changed."""

    _report: asyncio.Task[None] | None = None
    _is_connected = False
    _has_pages = False

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - AgentServer's own
        super().__init__(**options)
        reports_losses = PROCESS.found(
            "the end of a worker's connection",
            fits=inspect.iscoroutinefunction(getattr(AgentServer, "_run_ws", None)),
            instead="/readyz does not notice when it is lost",
        )
        if not reports_losses:
            self.on("worker_registered", self._on_registered)
        self.once("worker_started", self._on_started)

    @property
    def is_connected(self) -> bool:
        """Whether the room server has registered the worker and still hears it."""
        return self._is_connected

    @property
    def given_port(self) -> object:
        """The port of the health pages, as it was given."""
        return getattr(self, "_port", "?")

    @property
    def given_drain_timeout(self) -> object:
        """Seconds for a drain, as they were given; None if that is not known."""
        return getattr(self, "_drain_timeout", None)

    def add_pages(self, app: web.Application) -> None:
        """Adds to the application of the health pages, before it starts."""

    def load_changed(self) -> None:
        """Reports the load to the room server; for any thread, from `worker_started` on.

        AgentServer does so every 2.5 seconds. Until then, the room server would find no worker for
        a job after a place in a full worker has become free, and would abandon the job.
        """
        if not PROCESS.found(
            "reports of a worker's load",
            fits=has_attributes(self, "_loop", *_REPORT)
            and mentions(AgentServer._update_worker_status, "_worker_load"),  # pyright: ignore[reportPrivateUsage]
            instead="the room server learns of free places after 2.5 s",
        ):
            return
        with contextlib.suppress(RuntimeError):  # The loop is closed: the worker has ended.
            self._loop.call_soon_threadsafe(self._report_load)

    def __setattr__(self, name: str, value: object) -> None:
        # AgentServer.run makes its page and starts it, and calls nothing in between.
        if name == "_http_server" and isinstance(value, HttpServer):
            self.add_pages(value.app)
            self._has_pages = True
        super().__setattr__(name, value)

    async def _run_ws(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        """AgentServer's task for one connection: from its registration until it is lost."""
        self._is_connected = True
        try:
            await super()._run_ws(ws)
        finally:
            self._is_connected = False

    async def _invoke_load_fnc(self) -> float:
        """The load, twice a second and before each job. AgentServer calls `load_fnc` in a thread,
        for functions that measure for a while."""
        if not _calls_load_at_once():
            return await super()._invoke_load_fnc()
        load: Callable[[], float] = self.load_fnc  # pyright: ignore[reportAssignmentType]
        return load()

    def _report_load(self) -> None:
        self._report = self._loop.create_task(self._tell_load(), name="report of the load")

    @utils.log_exceptions(logger=logger)
    async def _tell_load(self) -> None:
        self._worker_load = await self._invoke_load_fnc()
        with contextlib.suppress(ChanClosed):  # The worker is ending.
            await self._update_worker_status()

    def _on_registered(self, *_: object) -> None:
        self._is_connected = True

    def _on_started(self) -> None:
        PROCESS.found(
            "a worker's HTTP server",
            fits=self._has_pages,
            instead="there is no /healthz and no /readyz",
        )


def _calls_load_at_once() -> bool:
    return PROCESS.applies(
        "load",
        fits=inspect.iscoroutinefunction(getattr(AgentServer, "_invoke_load_fnc", None)),
        instead="the load is measured in a thread",
    )
