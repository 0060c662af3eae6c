"""WorkerServer: an AgentServer with a health page for all loops and a deadline for draining."""

from __future__ import annotations

import errno
import faulthandler
import logging
import os
import time
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, NoReturn

from aiohttp import web
from livekit.agents import NOT_GIVEN, NotGivenOr

from agent.sdk.agent_server import SdkServer
from agent.telemetry.metric_totals import CONTENT_TYPE
from agent.telemetry.own_metrics import own_metrics

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from agent.host.heartbeat import Heartbeat
    from agent.host.readiness import Readiness
    from agent.room.room_overview import RoomOverview

logger = logging.getLogger(__name__)

ENDING: Final = 25.0
"""Seconds after the time for draining in which the process must have ended."""


METRICS_LAST: Final = 0.25
"""Seconds for which the text of the metrics is given again, however many ask for it."""


class WorkerServer(SdkServer):
    """An AgentServer that also watches the loops that rooms depend on.

    `/` and `/healthz` are 503 while one of them is stuck; AgentServer's own page only knows the
    main loop. `/readyz` is 503 while the worker cannot take a room. Docs: docs/deploying.md,
    Health.

    A drain ends the process at a deadline: AgentServer stops waiting for jobs then, but the parts
    that it closes afterwards may block for ever.
    """

    def __init__(
        self,
        heartbeats: Mapping[str, Heartbeat],
        *,
        silence: float,
        **options: Any,  # noqa: ANN401 - AgentServer's own
    ) -> None:
        """
        Args:
            heartbeats: of the process's loops, by name.
            silence: seconds without a heartbeat from which on the health page is 503.
        """
        self._heartbeats = heartbeats
        self._silence = silence
        self._metrics, self._metrics_at = b"", 0.0
        super().__init__(**options)

    def add_pages(self, app: web.Application) -> None:
        app.middlewares.append(self._tell_of_stuck_loops)
        app.router.add_get("/healthz", self._show_health)
        app.router.add_get("/readyz", self._show_readiness)
        app.router.add_get("/metrics", self._show_metrics)
        app.router.add_get("/rooms", self._show_rooms)

    def readiness(self) -> Readiness:
        """Whether the worker can take a room. For any thread."""
        raise NotImplementedError

    def rooms(self) -> list[RoomOverview]:
        """An overview of each room. Thread-safe."""
        raise NotImplementedError

    def sample(self) -> None:
        """Sets the metrics that nobody sets when they change. For any thread."""
        raise NotImplementedError

    async def run(self, *, devmode: bool = False, unregistered: bool = False) -> None:
        try:
            await super().run(devmode=devmode, unregistered=unregistered)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise RuntimeError(
                f"HTTP_PORT={self.given_port}: the port is taken. Set HTTP_PORT to another one, "
                "or to 0 for any that is free"
            ) from error

    async def drain(
        self,
        timeout: NotGivenOr[int | None] = NOT_GIVEN,  # noqa: ASYNC109 - AgentServer's own
    ) -> None:
        seconds = self.given_drain_timeout if timeout is NOT_GIVEN else timeout
        if isinstance(seconds, int | float) and seconds:
            # By a thread in C: it also ends a process whose interpreter is blocked.
            faulthandler.dump_traceback_later(seconds + ENDING, exit=True)
        await super().drain(timeout)

    def ended(self) -> None:
        """Calls off the deadline of a drain, when everything is closed."""
        faulthandler.cancel_dump_traceback_later()

    def end_stuck(self) -> NoReturn:
        """Dumps the stack of each thread to stderr and exits with status 1, for a stuck loop."""
        logging.shutdown()
        faulthandler.dump_traceback()
        os._exit(1)

    def _stuck_loops(self) -> list[str]:
        return [
            f"the {name} loop has not run for {beat.silence:.0f} s"
            for name, beat in self._heartbeats.items()
            if beat.silence > self._silence
        ]

    @web.middleware
    async def _tell_of_stuck_loops(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.path == "/" and (stuck := self._stuck_loops()):
            return web.Response(status=503, text="; ".join(stuck))
        return await handler(request)

    async def _show_health(self, _: web.Request) -> web.Response:
        stuck = self._stuck_loops()
        return _page({"status": "stuck" if stuck else "alive", "reasons": stuck}, ok=not stuck)

    async def _show_readiness(self, _: web.Request) -> web.Response:
        readiness = self.readiness()
        reasons = self._stuck_loops() + readiness.reasons()
        status = "not ready" if reasons else "ready"
        said = {"status": status, "reasons": reasons, **readiness.report()}
        return _page(said, ok=not reasons)

    async def _show_metrics(self, _: web.Request) -> web.Response:
        if not self._metrics or time.monotonic() - self._metrics_at > METRICS_LAST:
            self.sample()
            self._metrics, self._metrics_at = own_metrics().encode(), time.monotonic()
        return web.Response(body=self._metrics, headers={"Content-Type": CONTENT_TYPE})

    async def _show_rooms(self, request: web.Request) -> web.Response:
        """For this machine alone: names of rooms are nobody else's business."""
        if not ip_address(request.remote or "::").is_loopback:
            raise web.HTTPForbidden(text="only for this machine")
        return web.json_response({"rooms": self.rooms()})


def _page(said: Mapping[str, object], *, ok: bool) -> web.Response:
    return web.json_response(said, status=200 if ok else 503)
