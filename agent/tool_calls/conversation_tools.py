"""ConversationTools: the model's tools in one conversation, turn by turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from agent.models.offered_tools import CallTool, OfferedTools
from agent.tool_calls.background_calls import BackgroundCall, BackgroundCalls
from agent.tool_calls.call_origin import CallOrigin, TurnOrigin
from agent.tool_calls.callers import Callers
from agent.tool_calls.client_methods import ClientMethods
from agent.tool_calls.idempotency_keys import IdempotencyKeys
from agent.tool_calls.noted_call import NotedCall
from agent.tool_calls.result_budget import ResultBudget
from agent.tool_calls.tool_calls import ToolCalls
from toolkit.caller import Caller
from toolkit.errors import Unavailable
from toolkit.tool import Tool
from toolkit.toolbox import Toolbox


class ConversationTools:
    """Offers the model the room's tools that the participant may use, and the participant's own.

    Changes take effect with the next turn.
    """

    def __init__(
        self,
        toolbox: Toolbox,
        calls: ToolCalls,
        *,
        callers: Callers,
        client_methods: ClientMethods,
        background: BackgroundCalls,
        is_offered: Callable[[Tool], bool],
    ) -> None:
        """`is_offered`: whether the model has a tool of the room's at present."""
        self.offered = OfferedTools()
        self._is_offered = is_offered
        self._allowed: list[Tool] = []
        self._theirs: list[Tool] = []
        self._call: CallTool | None = None
        self._toolbox = toolbox
        self._calls = calls
        self._callers = callers
        self._client_methods = client_methods
        self._background = background
        self._under_way: set[BackgroundCall] = set()
        self._origin: CallOrigin | None = None
        self._on_call: Callable[[], None] | None = None

    @property
    def busy(self) -> bool:
        """Whether a call of the model's is under way."""
        return bool(self._under_way)

    def cancel(self) -> None:
        """Cancels the calls in progress: the session would wait for them."""
        for call in self._under_way:
            if call.task is not None and not call.is_detached:
                call.task.cancel()

    async def begin_turn(
        self,
        turn: TurnOrigin,
        *,
        result_bytes: int,
        on_call: Callable[[], None],
    ) -> Caller:
        """Prepares the tools for the answer to a message; returns the caller for whom they run.

        Args:
            result_bytes: bound of the results of all calls of this answer together.
            on_call: called whenever the model calls a tool.
        """
        caller = await self._callers.find(turn.identity, turn.name)
        origin = self._origin = turn.by(caller)
        self._on_call = on_call

        budget = ResultBudget(result_bytes)
        keys = IdempotencyKeys(self._calls.conversation, origin)

        async def call(tool: Tool, arguments: Mapping[str, object]) -> str:
            made = BackgroundCall(self._background, tool, arguments, origin)
            if tool.on_duplicate != "allow":
                told = await self._background.guard(made)
                if told is not None:
                    return told
            made.key = keys.next(tool.name, arguments)
            made.task = asyncio.create_task(
                self._calls.by_model(made, made.key), name=f"tool {tool.name}"
            )
            self._under_way.add(made)
            on_call()
            return budget.fit(await self._outcome(made))

        own = list(self._toolbox)
        taken = [tool.name for tool in own]
        self._theirs = [
            *await self._client_methods.tools(origin, taken),
            *(each for each in self._background.tools(origin) if each.name not in taken),
        ]
        self._allowed = [
            tool for tool in own if tool.model and tool.allows(caller) and self._is_offered(tool)
        ]
        self._call = call
        self.offer(_all)
        return caller

    async def _outcome(self, call: BackgroundCall) -> str:
        """The result of a call, or that it goes on in the background."""
        task = call.task
        assert task is not None  # noqa: S101 - it runs
        try:
            await asyncio.wait([task, call.started], return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            if call.is_detached:
                self._background.follow(call)
            else:
                task.cancel()
                self._background.forget(call)
            raise
        finally:
            self._under_way.discard(call)
        if not task.done():
            self._background.follow(call)
            return call.started.result()
        self._background.ended_at_once(call)
        if task.cancelled():
            raise Unavailable("The call was cancelled")
        for part in call.shown:
            call.origin.parts().show(part)
        return task.result()

    def note_call(self, name: str, arguments: Mapping[str, object]) -> NotedCall | None:
        """Reports a call that the agent makes itself; None: it belongs to no answer, so it is not
        reported."""
        if self._origin is None or self._on_call is None:
            return None
        self._on_call()
        return self._calls.note(name, arguments, self._origin)

    def offer(self, chosen: Callable[[str], bool]) -> None:
        """Limits the turn's tools to the chosen names, and all of the client's."""
        if self._call is not None:
            allowed = (tool for tool in self._allowed if chosen(tool.name))
            self.offered.offer([*allowed, *self._theirs], self._call)


def _all(_: str) -> bool:
    return True
