"""OfferedTools: the model's door to the tools; RPC is the other (agent.rpc)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from livekit.agents import llm

from toolkit.errors import ToolError
from toolkit.tool import CONFIRM_DUPLICATE, Tool
from toolkit.unknown_tool import unknown_tool

_CONFIRMATION: Final = {
    "type": "boolean",
    "description": "true only to run it again while a call of it is running, where the user "
    "explicitly asked for that",
}

CallTool = Callable[[Tool, Mapping[str, object]], Awaitable[str]]


class OfferedTools(llm.Toolset):
    """A toolset whose tools may differ with each answer.

    The model never learns anything that a tool may tell nobody: see toolkit.errors.
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
        """The tools that a request describes to the model."""
        return [made for _, made in self._made.values()]

    @property
    def names(self) -> Collection[str]:
        """The names of those tools."""
        return self._made.keys()

    async def call(self, name: str, arguments: Mapping[str, object]) -> str:
        """Calls an offered tool; raises llm.ToolError with a text for the model."""
        offered = ", ".join(self._made) or "none"
        if self._call is None:
            raise llm.ToolError(f"There is no tool {name}. The tools are: {offered}")
        tool, _ = self._made.get(name, (None, None))
        try:
            return await self._call(tool or unknown_tool(name), arguments)
        except ToolError as error:
            # Only the model reads the names: some tools are not offered to everybody in the room.
            names = f". The tools are: {offered}" if tool is None else ""
            raise llm.ToolError(f"{error}{names}") from error

    def offer(self, tools: Iterable[Tool], call: CallTool) -> None:
        """Offers these tools from now on, and calls them in that way."""
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
            "parameters": _strict(tool.json_schema()),
        }
        if tool.on_duplicate == "confirm":
            schema["parameters"]["properties"] |= {CONFIRM_DUPLICATE: _CONFIRMATION}
        return llm.function_tool(call, raw_schema=schema)


def _strict(schema: Mapping[str, object]) -> dict[str, object]:
    """A schema with `properties`, even if there are none: OpenAI, Gemini and LM Studio refuse an
    object without, and with it the whole request."""
    return {"type": "object", "properties": {}, **schema}
