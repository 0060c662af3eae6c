"""RoomHost: the rooms of one worker process, all of them on one event loop.

livekit-agents gives each job a thread with a loop of its own (or a process). Here a job's thread
only waits: the room is joined on the loop that all rooms of the process share, with a token that
has the grants of the job's own. Docs: docs/adr/0002-one-loop-for-all-rooms.md.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, Final, TypeVar

from livekit.agents import JobContext, JobExecutorType, JobRequest, llm
from livekit.agents.telemetry.loop_monitor import EventLoopMonitor
from livekit.protocol.agent import Job
from pydantic import BaseModel

from agent.app.app import App
from agent.config.proxies import DIRECT, Proxies
from agent.config.sdk_patches import selected_patches
from agent.config.settings import Settings
from agent.host import loop_watch, tracing
from agent.host.admission import Admission
from agent.host.closing import ROOMS_LOOP, Closing
from agent.host.heartbeat import Heartbeat
from agent.host.heartbeat_timing import reported_silence
from agent.host.hosted_server import HostedServer
from agent.host.readiness import Readiness
from agent.host.room_entry import RoomEntry
from agent.host.samples import take_samples
from agent.host.shared_services import SharedServices
from agent.host.worker_server import WorkerServer
from agent.inbox.message import Key
from agent.room.room_assignment import RoomAssignment
from agent.room.room_overview import RoomOverview
from agent.room.room_session import RoomSession
from agent.sdk import access_tokens, framework_log, job_pool, native_events, native_log
from agent.sdk.patches import PROCESS
from agent.tasks import Tasks
from agent.telemetry import log_fields
from agent.telemetry.metrics import JOBS_REFUSED, ROOMS_FAILED
from agent.wire.presence import STATE

logger = logging.getLogger(__name__)
T = TypeVar("T")

PATIENCE = 5.0
"""Seconds that a room waits for the history and the MCP servers before it goes on without them."""

COLLECTED_AFTER: Final = 10
"""Rooms left between two garbage collections; as many as are held if that is more, since a
collection's cost grows with them. The native half of a room, 0.25 MB, is freed with the last Python
object around it, and the collector's own thresholds would let 75 rooms pile up."""


class RoomHost:
    """Admits jobs by count, and holds their rooms. A full worker refuses in a way that lets the
    server ask another one."""

    def __init__(
        self,
        settings: Settings,
        app: App,
        app_settings: Sequence[BaseModel] = (),
        *,
        proxies: Proxies = DIRECT,
    ) -> None:
        """Opens nothing yet.

        Raises:
            AppError: the app's store cannot be made.
            InvalidValueError: DATABASE_URL names no database.
        """
        self._settings = settings
        self._proxies = proxies
        self.admission = Admission(settings.agent_max_rooms)
        self.heartbeats = {name: Heartbeat(name) for name in ("main", "rooms")}
        self._lock = threading.Lock()
        self._sessions: dict[str, RoomSession] = {}
        self._stays: dict[str, Future[None]] = {}
        self._entering: dict[str, bool] = {}
        """Jobs without a session yet; whether they still want one."""
        self._is_closing = False
        self._left = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._main_loop: asyncio.AbstractEventLoop | None = None
        self.services = SharedServices(
            settings, app, app_settings, proxies=proxies, on_main_thread=self._on_main_thread
        )
        self._server: HostedServer | None = None
        self._entry = RoomEntry(
            settings, proxies, self.services.history.leases, run=self._run, free=self._free
        )
        self.admission.on_joining_ended = self._entry.release
        self._tasks = Tasks()
        self._opening: asyncio.Task[None] | None = None
        self._reported_blocks = loop_watch.thresholds()
        self._watch: EventLoopMonitor | None = None
        self._tracer: tracing.Tracer | None = None

    def agent_server(self) -> HostedServer:
        """The AgentServer that takes jobs for this host."""
        # The framework would load its speech models into the process: 244 MB that nobody uses.
        os.environ.setdefault("LIVEKIT_AGENTS_PRELOAD_LOCAL_INFERENCE", "0")
        # It would watch the loop of each job, where nothing happens, by 100 wake-ups a second.
        os.environ.setdefault(loop_watch.LOOP_BLOCK, "0")
        PROCESS.select(selected_patches(self._settings.sdk_patches))
        access_tokens.install()
        native_log.keep_native()
        job_pool.install()
        framework_log.quiet(log_content=self._settings.log_content)
        settings = self._settings
        secret = settings.livekit_api_secret
        server = HostedServer(
            self.heartbeats,
            self._readiness,
            self,
            reported_silence(settings.heartbeat_timeout),
            partial(
                take_samples,
                history=self.services.history,
                files=self.services.files.store,
                limits=self.services.limits.counters,
            ),
            self.overviews,
            job_executor_type=JobExecutorType.THREAD,
            ws_url=settings.livekit_url,
            api_key=settings.livekit_api_key,
            api_secret=secret.get_secret_value() if secret else None,
            load_threshold=float("inf"),
            load_fnc=self.admission.load,
            num_idle_processes=1,
            host=settings.http_host,
            port=settings.http_port,
            drain_timeout=settings.drain_timeout,
            log_level=settings.log_level,
            **self._worker_proxy(),
        )
        server.rtc_session(
            self.entrypoint, agent_name=settings.agent_name, on_request=self.on_request
        )
        server.once("worker_started", self.open)
        self.admission.on_load_changed = server.load_changed
        self._server = server
        return server

    @property
    def _goes_on(self) -> bool:
        """Whether the process takes jobs, as far as it knows."""
        server = self._server
        return server is not None and not server.draining and not server.is_ending

    def _free(self) -> int:
        is_connected = self._goes_on and self._server is not None and self._server.is_connected
        return self.admission.free if is_connected else 0

    def _readiness(self, server: WorkerServer) -> Readiness:
        return Readiness(
            connected=server.is_connected,
            full=self.admission.full,
            draining=server.draining,
            database=self.services.database,
            model=self.services.model,
        )

    def _worker_proxy(self) -> dict[str, str | None]:
        """The worker's own connection: livekit-agents reads HTTPS_PROXY alone (worker.py)."""
        url = self._settings.livekit_url
        # LiveKit's own tools pass the agent's name later, and the framework decides.
        return {} if url is None else {"http_proxy": self._proxies.for_url(url)}

    def open(self) -> None:
        """Begins to open the shared services in the background; otherwise the first room opens
        them."""
        log_fields.add_to_handlers()
        self._tracer = tracing.start(os.environ, content=self._settings.log_content)
        native_events.install()
        self._main_loop = asyncio.get_running_loop()
        self.heartbeats["main"].start(self._main_loop)
        self._run(self._opened())

    async def on_request(self, request: JobRequest) -> None:
        """Accepts a job if the host has a free place and the room has no living agent."""
        room = request.room
        if self.admission.is_joining(room.sid):
            JOBS_REFUSED.add("joining")
            await request.reject()
            return
        if not self.admission.admit(request.id, room.sid):
            JOBS_REFUSED.add("full")
            await request.reject(terminate=False)
            return
        try:
            if not self._entry.claim(room.sid):
                logger.warning(
                    "job refused: another process is joining its room", extra={"room": room.name}
                )
                JOBS_REFUSED.add("joining")
                self.admission.end(request.id)
                await request.reject()
                return
            if not await self._entry.is_free(request.id, room):
                JOBS_REFUSED.add("taken")
                self.admission.end(request.id)
                await request.reject()
                return
            await request.accept(
                identity=self._settings.agent_identity,
                name=self._settings.agent_display_name,
                attributes={STATE: "initializing"},
            )
        except BaseException:
            self.admission.end(request.id)
            self._run(self._entry.leave(request.id))
            raise

    async def entrypoint(self, job: JobContext) -> None:
        """Joins the job's room on the shared loop; the job ends when the stay does."""
        job_loop, began = asyncio.get_running_loop(), time.monotonic()
        stay = self._run(self._stay(job.job, RoomAssignment.of(job, os.environ["LIVEKIT_URL"])))
        with self._lock:
            self._stays[job.job.id] = stay

        async def leave() -> None:
            if await asyncio.wrap_future(self._run(self._leave(job.job, began))):
                await asyncio.shield(asyncio.wrap_future(stay))

        def ended(_: Future[None]) -> None:
            with self._lock:
                self._stays.pop(job.job.id, None)
            self.admission.end(job.job.id)
            if not job_loop.is_closed():  # Otherwise its job has ended.
                job_loop.call_soon_threadsafe(job.shutdown, "the stay in the room has ended")

        job.add_shutdown_callback(leave)
        stay.add_done_callback(ended)

    async def until_open(self) -> None:
        """Returns when the shared services are open, or take too long."""
        await asyncio.wrap_future(self._run(self._opened()))

    def overviews(self) -> list[RoomOverview]:
        """The rooms that are held or being joined. For any thread."""
        return [each.overview() for each in list(self._sessions.values())]

    async def until_left(self) -> None:
        """Returns when the rooms that are held now have been left."""
        with self._lock:
            stays = [asyncio.wrap_future(stay) for stay in self._stays.values()]
        await asyncio.gather(*(asyncio.shield(stay) for stay in stays))

    def said_about(self, room: str, message: Key, owner: str | None) -> Sequence[llm.ChatItem]:
        """The model's messages and calls for a message, in the room's conversation or an owner's,
        as far as they are known. Thread-safe once the answer has ended."""
        sessions = (each for each in list(self._sessions.values()) if each.name == room)
        return next((each.said_about(message, owner) for each in sessions), ())

    def tokens(self, room: str) -> tuple[int, int]:
        """Tokens that models have read and written for a room that is joined. Thread-safe."""
        sessions = (each for each in list(self._sessions.values()) if each.name == room)
        return next((each.tokens for each in sessions), (0, 0))

    def hasten(self, closing: Closing) -> None:
        """The process closes; see SharedServices.hasten. Thread-safe."""
        if (loop := self._loop) is not None:
            loop.call_soon_threadsafe(self.services.hasten, closing)

    async def aclose(self, closing: Closing | None = None) -> None:
        """Leaves all rooms and closes the shared services, in the time that there is."""
        if self._loop is None:
            return
        closing = closing or Closing()
        self.hasten(closing)
        # One second more: a loop that is stuck is left, too.
        closed = asyncio.wrap_future(self._run(self._close_all(closing)))
        await closing.step(closed, ROOMS_LOOP, by=closing.history + 1.0)
        await self._entry.aclose()
        self.heartbeats["main"].stop()
        loop, self._loop = self._loop, None
        loop.call_soon_threadsafe(loop.stop)
        if self._thread is not None and closed.done():
            await asyncio.to_thread(self._thread.join)
            loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Runs a coroutine on the rooms' loop; starts the loop on first use."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="rooms", daemon=True
                )
                self._thread.start()
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _stay(self, job: Job, assignment: RoomAssignment) -> None:
        """One stay in a room. Never cancelled: `_leave` ends it."""
        job_id = job.id
        log_fields.bind(room=assignment.room)
        left = False
        self._entering[job_id] = not self._is_closing
        try:
            tenure = await self._entry.enter(
                job_id, assignment.sid, partial(self._lose, job_id, assignment.room)
            )
            if not self._entering.pop(job_id):
                return
            session = self._sessions[job_id] = self.services.open_session(assignment, tenure)
            await self._opened()
            if await tenure.holds():
                await session.run(
                    on_joined=partial(self.admission.joined, job_id),
                    on_reconnected=partial(self._entry.came_back, job),
                )
            left = session.is_dismissed
        except Exception:
            # The boundary around one room: it ends, with the reason in the log; the others go on.
            ROOMS_FAILED.add()
            logger.exception("room failed; other rooms continue", extra={"room": assignment.room})
        finally:
            await self._entry.leave(job_id, left=left)
            self._entering.pop(job_id, None)
            self._sessions.pop(job_id, None)
            self._left += 1
            if self._left >= max(COLLECTED_AFTER, len(self._sessions)):
                self._left = 0
                # In a thread: whatever native is freed gives up the interpreter's lock meanwhile.
                asyncio.get_running_loop().run_in_executor(None, gc.collect)

    async def _opened(self) -> None:
        """Returns when the shared services are open, or take too long."""
        if self._opening is None:
            self._opening = self._tasks.start(self._open_shared(), name="open what rooms share")
        await asyncio.wait((self._opening,), timeout=PATIENCE)

    async def _open_shared(self) -> None:
        self.heartbeats["rooms"].start(asyncio.get_running_loop())
        if self._reported_blocks is not None:
            self._watch = loop_watch.watch(asyncio.get_running_loop(), self._reported_blocks)
        await self.services.open(PATIENCE)
        self._entry.start()

    async def _on_main_thread(self, work: Callable[[], None]) -> None:
        if self._main_loop is None:
            raise RuntimeError("the worker has not started")

        async def run() -> None:
            work()

        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(run(), self._main_loop))

    async def _leave(self, job: Job, began: float) -> bool:
        """Ends the stay of a job that began then (monotonic); returns whether the job can wait for
        its end: a room being joined may take long."""
        session = self._sessions.get(job.id)
        if session is None:
            if job.id in self._entering:
                self._entering[job.id] = False
            return True
        if self._settings.takeover and self._goes_on and session.has_joined:
            # The room server has ended the job: its dispatch was deleted, or the agent is gone.
            if await self._entry.is_dismissed(job, time.monotonic() - began):
                session.is_dismissed = True
            else:
                await session.told_why()
        session.close()
        await self._entry.leave(job.id, left=session.is_dismissed)
        if not session.has_joined:
            self.admission.call_off(job.id)
        return session.has_joined

    def _lose(self, job_id: str, room: str) -> None:
        logger.warning("another worker answers in the room, leaving it", extra={"room": room})
        session = self._sessions.get(job_id)
        if session is not None:
            session.close()

    async def _close_all(self, closing: Closing) -> None:
        self._is_closing = True
        self._entering = dict.fromkeys(self._entering, False)
        for session in self._sessions.values():
            session.close()
        await closing.step(self.until_left(), "rooms", by=closing.rooms)
        await closing.step(self._tasks.aclose(), "the opening", by=closing.opening)
        also = {"leases": self._entry.rooms_left(), "the app": self.services.run_hook("on_stop")}
        if self._tracer is not None:
            also["traces"] = asyncio.to_thread(self._tracer.close)
        await self.services.aclose(closing, also)
        if self._watch is not None:
            self._watch.stop()
        self.heartbeats["rooms"].stop()
