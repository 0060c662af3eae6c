"""OfferedTools: the model's door to the tools; RPC is the other (agent.rpc)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from livekit.agents import llm

from tools.errors import ToolError
from tools.tool import Tool

CallTool = Callable[[Tool, Mapping[str, object]], Awaitable[str]]


class OfferedTools(llm.Toolset):
    """A toolset whose tools may be others with each answer.

    What a tool may not tell anyone it does not tell the model either: see tools.errors.
    """

    def __init__(self) -> None:
        self._made: dict[str, tuple[Tool, llm.Tool]] = {}
        self._call: CallTool | None = None
        super().__init__(id="tools")

    @property
    def tools(self) -> Sequence[llm.Tool | llm.Toolset]:
        return self.function_tools

    @property
    def function_tools(self) -> list[llm.Tool]:
        """What a request describes to the model."""
        return [made for _, made in self._made.values()]

    async def call(self, name: str, arguments: Mapping[str, object]) -> str:
        """Calls a tool that is offered; raises llm.ToolError with what the model may know."""
        if self._call is None or name not in self._made:
            offered = ", ".join(self._made) or "none"
            raise llm.ToolError(f"Unknown function: {name} - available tools: {offered}")
        tool, _ = self._made[name]
        try:
            return await self._call(tool, arguments)
        except ToolError as error:
            raise llm.ToolError(str(error)) from error

    def offer(self, tools: Iterable[Tool], call: CallTool) -> None:
        """Offers these tools from now on, and has them called that way."""
        before = self._made
        self._call = call
        self._made = {}
        for tool in tools:
            earlier, made = before.get(tool.name, (None, None))
            if earlier is not tool or made is None:
                # Kept as long as it is offered: describing a tool takes longer than a turn should.
                made = self._function_tool(tool)
            self._made[tool.name] = (tool, made)

    def _function_tool(self, tool: Tool) -> llm.Tool:
        async def call(raw_arguments: dict[str, object]) -> str:
            return await self.call(tool.name, raw_arguments)

        schema: dict[str, Any] = {
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.json_schema(),
        }
        return llm.function_tool(call, raw_schema=schema)
