"""Filters the log records of livekit-agents."""

from __future__ import annotations

import logging

_NOT_LOGGED = (
    "The job task completed without establishing a connection",
    "MCP client connection failed",
)


def quiet(*, log_content: bool) -> None:
    """Drops log records of livekit-agents that are wrong here, or that contain secrets.

    It warns of a job that returns without having connected *its* room; our rooms are connected
    elsewhere. The error of a failed MCP connection may contain secrets; agent.mcp logs that it
    failed. At level DEBUG it logs messages and answers, in fields marked `lk.pii`: those
    are removed unless `log_content` is set.
    """

    def keep(record: logging.LogRecord) -> bool:
        if str(record.msg).startswith(_NOT_LOGGED):
            return False
        if not log_content:
            for name in [name for name in vars(record) if name.startswith("lk.pii")]:
                delattr(record, name)
        return True

    logging.getLogger("livekit.agents").addFilter(keep)
