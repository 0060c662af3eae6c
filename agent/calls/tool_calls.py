"""ToolCalls: the tool calls of one room, from its RPC callers and from the model."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from agent.calls.approvals import Approvals
from agent.calls.call_notices import CallNotices
from agent.calls.callers import Callers
from agent.calls.turn import Turn
from agent.wire.notices import Notices
from tools.context import Approve, Caller
from tools.errors import ToolError
from tools.tool import Tool
from tools.toolbox import Toolbox


class ToolCalls:
    """Calls tools with what belongs to a call in a room: its caller, its notices, its approval."""

    def __init__(
        self, toolbox: Toolbox, *, notices: Notices, callers: Callers, approvals: Approvals
    ) -> None:
        self._toolbox = toolbox
        self._notices = notices
        self._callers = callers
        self._approvals = approvals

    async def by_rpc(self, tool: Tool, arguments: Mapping[str, object], identity: str) -> str:
        """Calls a tool for a participant who calls it. Raises ToolError.

        The call is their consent. They alone are told of its progress, if it reports any.
        """
        caller = await self._callers.find(identity)
        notices = CallNotices(self._notices, tool.name, to=identity)
        return await self._call(tool, arguments, caller, notices, _consented)

    async def by_model(self, tool: Tool, arguments: Mapping[str, object], turn: Turn) -> str:
        """Calls a tool for the one whom the model answers. Raises ToolError.

        The room is told, or in a private conversation its owner; they are asked to agree where
        that is needed.
        """
        notices = CallNotices(
            self._notices,
            tool.name,
            to=turn.caller.identity if turn.private else None,
            in_reply_to=turn.message_id,
        )
        notices.begin()
        approve = partial(self._approvals.ask, turn, notices.call_id)
        return await self._call(tool, arguments, turn.caller, notices, approve)

    async def _call(
        self,
        tool: Tool,
        arguments: Mapping[str, object],
        caller: Caller,
        notices: CallNotices,
        approve: Approve,
    ) -> str:
        try:
            context = replace(
                self._toolbox.context(caller),
                call_id=notices.call_id,
                report=notices.report,
                approve=approve,
            )
            answer = await tool.call(arguments, context)
        except ToolError as error:
            notices.finish("error", error)
            raise
        except asyncio.CancelledError:
            notices.finish("cancelled")
            raise
        notices.finish("ok")
        return answer


async def _consented(_: Tool, __: Mapping[str, object]) -> None:
    """Who calls a tool themselves has agreed to it."""
