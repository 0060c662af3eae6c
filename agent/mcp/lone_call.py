"""lone_call: a call in a session of its own, so that questions and headers belong to its caller."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from agent.mcp.session import McpSession
from agent.tasks import Tasks

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT = 30.0
CLOSE_TIMEOUT = 10.0
"""Seconds; a program is given some to end by itself (mcp, client/stdio.py)."""


async def lone_call(
    session: McpSession, name: str, arguments: dict[str, object], tasks: Tasks
) -> Mapping[str, object]:
    """Opens the session, makes the call, and closes the session in the background.

    Cancelling it ends all of that. Raises the errors of the transport or the server.

    Args:
        tasks: owner of the background.
    """
    answer: asyncio.Future[Mapping[str, object]] = asyncio.get_running_loop().create_future()
    # One task for all of it, as anyio asks.
    talk = tasks.start(_talk(session, name, arguments, answer), name="MCP call")
    try:
        return await answer
    finally:
        if not answer.done() or answer.cancelled():
            talk.cancel()


async def _talk(
    session: McpSession,
    name: str,
    arguments: dict[str, object],
    answer: asyncio.Future[Mapping[str, object]],
) -> None:
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            await session.open()
        result = await session.call(name, arguments)
    except asyncio.CancelledError:
        answer.cancel()
        raise
    except Exception as error:
        # The boundary to another program: the caller gets whatever the transport raises.
        if not answer.done():
            answer.set_exception(error)
    else:
        if not answer.done():
            answer.set_result(result)
    finally:
        # In a task of its own, so that another cancellation of this one does not cut it short: a
        # program must have ended when its connection has.
        closing = asyncio.create_task(_close(session), name="close MCP session")
        try:
            await asyncio.wait([closing])
        finally:
            await asyncio.wait([closing])


async def _close(session: McpSession) -> None:
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await session.aclose()
    except Exception as error:
        # The boundary, as above: it is given up in any case.
        logger.info("MCP session closed with %s", type(error).__name__)
