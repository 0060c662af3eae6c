"""ConversationTools: what the model may use in one conversation, turn by turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from agent.history.message import Attachment
from agent.models.offered_tools import OfferedTools
from agent.parts.answer_parts import AnswerParts
from agent.tool_calls.call_origin import CallOrigin
from agent.tool_calls.callers import Callers
from agent.tool_calls.client_methods import ClientMethods
from agent.tool_calls.result_budget import ResultBudget
from agent.tool_calls.tool_calls import ToolCalls
from toolkit.errors import Unavailable
from toolkit.tool import Tool
from toolkit.toolbox import Toolbox


class ConversationTools:
    """Offers the model those of the room's tools that whom it answers may use, and theirs.

    What changes meanwhile takes effect with the next turn.
    """

    def __init__(
        self,
        toolbox: Toolbox,
        calls: ToolCalls,
        *,
        callers: Callers,
        client_methods: ClientMethods,
    ) -> None:
        self.offered = OfferedTools()
        self._toolbox = toolbox
        self._calls = calls
        self._callers = callers
        self._client_methods = client_methods
        self._under_way: set[asyncio.Task[str]] = set()

    @property
    def busy(self) -> bool:
        """Whether a call of the model's is under way."""
        return bool(self._under_way)

    def cancel(self) -> None:
        """Gives up the calls that are under way: the session would wait for them."""
        for task in self._under_way:
            task.cancel()

    async def begin_turn(  # noqa: PLR0913 - all that its tools need to know of a turn
        self,
        identity: str,
        name: str,
        *,
        message_id: str,
        position: int | None,
        private: bool,
        result_bytes: int,
        on_call: Callable[[], None],
        on_file: Callable[[Attachment], None],
        parts: Callable[[], AnswerParts],
    ) -> None:
        """Gets the tools ready for the answer to a message.

        Args:
            identity: whose message it is.
            position: of the answer, in its thread; None: not known.
            result_bytes: bound of the results of all calls of this answer together.
            on_call: told whenever the model calls a tool.
            on_file: told of each file that becomes part of the answer.
            parts: what the answer shows beside its text.
        """
        caller = await self._callers.find(identity, name)
        turn = CallOrigin(caller, message_id, position, private, on_file, parts)

        budget = ResultBudget(result_bytes)

        async def call(tool: Tool, arguments: Mapping[str, object]) -> str:
            task = asyncio.create_task(
                self._calls.by_model(tool, arguments, turn), name=f"tool {tool.name}"
            )
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
            on_call()
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError:
                task.cancel()
                raise
            if task.cancelled():
                raise Unavailable("The call was cancelled")
            return budget.fit(task.result())

        own = list(self._toolbox)
        theirs = await self._client_methods.tools(turn, [tool.name for tool in own])
        allowed = [tool for tool in own if tool.allows(turn.caller)]
        self.offered.offer([*allowed, *theirs], call)
