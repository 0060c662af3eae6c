"""The report of a session: that of livekit-agents, as far as it holds here."""

from __future__ import annotations

from typing import Any, Final, cast

from livekit.agents import AgentSession
from livekit.agents.voice.report import SessionReport

KEPT: Final = (
    "agent_name",
    "options",
    "usage",
    "user_turns",
    "duration_ms",
    "timestamp",
    "sdk_version",
)
"""Without what people said, which the history has, and may forget; and without what a session's
events would tell, which are forgotten after each answer."""


def report_of(session: AgentSession[Any], agent: str, started_at: float) -> dict[str, Any]:
    """The report as `SessionReport.to_dict` has it, as JSON.

    Args:
        agent: the name of the agent of the app that began it.
        started_at: seconds since 1970.
    """
    report = SessionReport(
        job_id="",
        room_id="",
        room="",
        options=session.options,
        events=[],
        chat_history=session.history,
        started_at=started_at,
        model_usage=session.usage.model_usage,
        agent_name=agent,
    )
    report.duration = report.timestamp - started_at
    # Its own type says no more than `dict`.
    whole = cast("dict[str, Any]", report.to_dict(include_chat_history=False, include_events=False))
    return {name: whole[name] for name in KEPT}
