"""RoomJob: what `get_job_context()` finds in the code of a livekit Agent.

livekit-agents sets the job in the job's own thread alone, where no room is joined here: rooms share
a loop (docs/adr/0002-one-loop-for-all-rooms.md), and a room may have several sessions. So each
session has a JobContext of its own, around the room that the worker has joined.

All code that relies on private parts of JobContext is here, and in agent.sdk.job_token;
tests/agent/sdk/test_room_job.py holds livekit-agents to them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from livekit import api
from livekit.agents import JobContext
from livekit.agents.job import _JobContextVar  # pyright: ignore[reportPrivateUsage]

if TYPE_CHECKING:
    from livekit import rtc
    from livekit.agents.ipc.inference_executor import InferenceExecutor

logger = logging.getLogger(__name__)

SHUTDOWN_TIMEOUT: Final = 10.0
"""Seconds that an app's shutdown callbacks have together."""


@dataclass(frozen=True, slots=True)
class Employment:
    """The job of a room, and the loop of its thread."""

    job: JobContext
    loop: asyncio.AbstractEventLoop


class RoomJob(JobContext):
    """The job of a room, for one session on the rooms' loop.

    `connect` has been called, `proc`, `job` and `inference_executor` are those of the room's job.
    In a private conversation, nothing ends the room or the stay in it.

    Args:
        end_stay: called by `shutdown`; None: the conversation is private.
    """

    def __init__(
        self, employment: Employment, room: rtc.Room, end_stay: Callable[[], object] | None
    ) -> None:
        job = employment.job
        super().__init__(
            proc=job.proc,
            info=job._info,  # pyright: ignore[reportPrivateUsage]
            room=room,
            on_connect=lambda: None,
            on_shutdown=self._on_end,
            inference_executor=_Inference(job.inference_executor, employment.loop),
        )
        self._connected = True
        self._end_stay = end_stay
        self._reason = ""

    @contextmanager
    def current(self) -> Generator[None]:
        """Within, `get_job_context()` finds it; in tasks that are started there, too."""
        token = _JobContextVar.set(self)
        try:
            yield
        finally:
            _JobContextVar.reset(token)

    def context(self) -> Context:
        """A copy of the caller's context in which `get_job_context()` finds it."""
        context = copy_context()
        context.run(_JobContextVar.set, self)
        return context

    def delete_room(self, room_name: str | None = None) -> asyncio.Future[api.DeleteRoomResponse]:
        """Deletes the room, or another one; a private conversation leaves its room as it is."""
        if self._end_stay is None and room_name in {None, self._room.name}:
            logger.warning("room not deleted: the conversation is private, others are in the room")
            left: asyncio.Future[api.DeleteRoomResponse] = asyncio.Future()
            left.set_result(api.DeleteRoomResponse())
            return left
        return super().delete_room(room_name)

    async def aclose(self) -> None:
        """The session has ended: calls the app's shutdown callbacks, and waits for what they, and
        the Agent, have begun. Failures are logged."""
        self._room.off("participant_connected", self._participant_available)
        with self.current():
            work = [
                asyncio.ensure_future(callback(self._reason))
                for callback in self._shutdown_callbacks
            ]
            work += self._pending_tasks
            if work:
                ended, late = await asyncio.wait(work, timeout=SHUTDOWN_TIMEOUT)
                for each in late:
                    logger.warning("shutdown callback takes too long, cancelled")
                    each.cancel()
                await asyncio.gather(*late, return_exceptions=True)
                for each in ended:
                    if not each.cancelled() and (error := each.exception()) is not None:
                        logger.error("shutdown callback failed", exc_info=error)
        entrypoints = list(self._participant_tasks.values())
        for each in entrypoints:
            each.cancel()
        await asyncio.gather(*entrypoints, return_exceptions=True)
        await asyncio.to_thread(self._tempdir.cleanup)

    def _on_end(self, reason: str) -> None:
        self._reason = reason
        if self._end_stay is None:
            logger.info("shutdown of a private conversation: the agent stays in the room")
        else:
            logger.info("shutdown by the agent's code: %s", reason)
            self._end_stay()


class _Inference:
    """Models that livekit-agents runs in a process of their own, which the job's loop talks to."""

    def __init__(self, executor: InferenceExecutor, loop: asyncio.AbstractEventLoop) -> None:
        self._executor = executor
        self._loop = loop

    async def do_inference(self, method: str, data: bytes) -> bytes | None:
        work = self._executor.do_inference(method, data)
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))
