"""SessionRun: follows everything that an AgentSession does for one input, until it is idle.

`AgentSession.run` has that (voice/run_result.py): it follows the speeches, the hand-overs and the
inner tasks that one input leads to, and knows which of them wait for the next input. But it only
takes text, and a session's events are all kept for a report that is never made here.

All code that relies on these parts is here; tests/agent/sdk/test_session_run.py holds
livekit-agents to them.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final, cast

from livekit.agents.voice.run_result import RunResult

from agent.tasks import to_the_end

if TYPE_CHECKING:
    from livekit.agents import Agent, AgentSession
    from livekit.agents.llm import LLM
    from livekit.agents.voice import SpeechHandle
    from livekit.agents.voice.agent_activity import AgentActivity

logger = logging.getLogger(__name__)

CLOSED_WITHIN: Final = 10.0
"""Seconds for the end of what a session opened that could not begin."""

ENTERING: Final = 10.0
"""Seconds that a run goes on for an `on_enter` that has been resumed."""

MOMENTS: Final = 10
"""Rounds of the event loop in which an agent that waited for an inner task is resumed."""

MAX_EVENTS: Final = 256
"""Events of a session that are kept."""


class SessionRun:
    """Follows a session until the next run begins.

    Everything that it says, and that its agents begin meanwhile, belongs to this run.
    """

    def __init__(self, session: AgentSession[Any]) -> None:
        self._session = session
        self._began_with = session._activity  # pyright: ignore[reportPrivateUsage]
        self._run = _follow(session)

    def watch(self, work: SpeechHandle | asyncio.Future[Any]) -> None:
        """The run goes on for as long as this does."""
        self._run._watch_handle(work)  # pyright: ignore[reportPrivateUsage]

    @property
    def is_over(self) -> bool:
        return self._run.done()

    async def over(self) -> None:
        """Returns when everything that the input led to has ended, or waits for the next input."""
        await _done(self._run)
        while (entering := await self._resumed()) is not None:
            self._began_with = self._session._activity  # pyright: ignore[reportPrivateUsage]
            self._run = _follow(self._session)
            self.watch(entering)
            await _done(self._run, ENTERING)

    async def _resumed(self) -> asyncio.Task[None] | None:
        """The `on_enter` of an agent that goes on since its inner task has ended.

        RunResult misses it: it is over with the task's own `on_enter`, a moment before the other
        one is resumed.
        """
        for _ in range(MOMENTS):
            await asyncio.sleep(0)
        async with self._session._activity_lock:  # pyright: ignore[reportPrivateUsage]
            activity = self._session._activity  # pyright: ignore[reportPrivateUsage]
        if activity is None or activity is self._began_with:
            return None
        entering = cast(
            "asyncio.Task[None] | None",
            activity._on_enter_task,  # pyright: ignore[reportPrivateUsage]
        )
        return None if entering is None or entering.done() else entering


def _follow(session: AgentSession[Any]) -> RunResult[Any]:
    run: RunResult[Any] = RunResult(output_type=None)
    # Its error is reported by its speech, or was handled by the agent of an inner task.
    run._done_fut.add_done_callback(_look_at_error)  # pyright: ignore[reportPrivateUsage]
    session._global_run_state = run  # pyright: ignore[reportPrivateUsage]
    return run


async def _done(run: RunResult[Any], within: float | None = None) -> None:
    await asyncio.wait([run._done_fut], timeout=within)  # pyright: ignore[reportPrivateUsage]


def _look_at_error(done: asyncio.Future[None]) -> None:
    if not done.cancelled():
        done.exception()


async def begin(session: AgentSession[Any], agent: Agent) -> None:
    """Begins a session with an agent. Where that fails or is cancelled, closes what they have
    opened, such as a realtime model's connection: a session that has not begun closes nothing."""
    try:
        await session.start(agent, record=False, session_host=False)
    except BaseException:
        activity = session._activity  # pyright: ignore[reportPrivateUsage]
        if activity is not None:
            await to_the_end(_close(activity))
        raise


async def _close(activity: AgentActivity) -> None:
    try:
        async with asyncio.timeout(CLOSED_WITHIN):
            await activity.aclose()
    except Exception as error:
        # The boundary around plugins: the caller raises the error that kept it from beginning.
        logger.warning("agent that failed to start did not close: %s", type(error).__name__)


def is_running(session: AgentSession[Any]) -> bool:
    """Whether the session has begun, and has not begun to close."""
    return session._started and not session._is_closing()  # pyright: ignore[reportPrivateUsage]


def give_llm(session: AgentSession[Any], llm: LLM[Any]) -> None:
    """Sets the LLM of a session that has none and has not begun."""
    if session.llm is None:
        session._llm = llm  # pyright: ignore[reportPrivateUsage]


def forget_events(session: AgentSession[Any]) -> None:
    """Drops the oldest events: a session keeps them all."""
    del session._recorded_events[:-MAX_EVENTS]  # pyright: ignore[reportPrivateUsage]
