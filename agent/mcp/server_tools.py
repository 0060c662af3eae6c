"""ServerTools: the tools that one MCP server lists, each checked separately."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

from agent.config.mcp_servers import HttpServer, StdioServer
from toolkit.context import ToolContext
from toolkit.permission import role
from toolkit.schema_parameters import SchemaParameters
from toolkit.tool import Tool

logger = logging.getLogger(__name__)

MAX_TOOLS = 128
MAX_NAME = 64
MAX_DESCRIPTION = 4_000

Call = Callable[[str, dict[str, object], ToolContext], Awaitable[str]]


class ServerTools:
    """Makes a Tool of each tool that can be used, and logs why the others are left out.

    Args:
        server: the server's name, which its tools' names begin with.
        call: calls a tool by the name that the server knows it by.
    """

    def __init__(self, server: str, settings: StdioServer | HttpServer, call: Call) -> None:
        self.tools: tuple[Tool, ...] = ()
        self._server = server
        self._settings = settings
        self._call = call
        self._known: dict[str, _Known] = {}
        self._too_many = False

    def take(self, listed: list[object]) -> bool:
        """Takes a list of tools; returns whether anything has changed.

        A tool that is listed as it was keeps its Tool, and is not judged again.
        """
        before, self._known = self._known, {}
        for key, description in self._wanted(listed).items():
            known = before.get(key)
            if known is None or known.description != description:
                known = _Known(description, self._judge(description))
            self._known[key] = known
        if self._known == before:
            return False
        tools: dict[str, Tool] = {}
        for key, known in self._known.items():
            if (
                known.tool is not None
                and tools.setdefault(known.tool.name, known.tool) != known.tool
            ):
                self._leave_out(key, f"there is another tool called {known.tool.name}")
        self.tools = tuple(tools.values())
        return True

    def _wanted(self, listed: list[object]) -> dict[str, dict[str, object]]:
        """Returns the descriptions of the wanted tools; of two with one name, the first counts."""
        names = self._settings.tools
        wanted: dict[str, dict[str, object]] = {}
        for index, each in enumerate(listed):
            tool = cast("dict[str, object]", each) if isinstance(each, dict) else {}
            name = tool.get("name")
            key = name if isinstance(name, str) else f"number {index + 1}"
            if names is None or name in names:
                fields = ("name", "title", "description", "inputSchema")
                wanted.setdefault(key, {field: tool.get(field) for field in fields})
        if len(wanted) > MAX_TOOLS and not self._too_many:
            logger.warning(
                "MCP server %s: too many tools, using the first %s", self._server, MAX_TOOLS
            )
        self._too_many = len(wanted) > MAX_TOOLS
        return dict(list(wanted.items())[:MAX_TOOLS])

    def _judge(self, description: Mapping[str, object]) -> Tool | None:
        name, schema = description["name"], description["inputSchema"]
        if not isinstance(name, str) or not name:
            self._leave_out(repr(name), "it has no name")
            return None
        wire_name = re.sub(r"[^A-Za-z0-9_-]", "_", f"{self._server}_{name}")
        if len(wire_name) > MAX_NAME:
            self._leave_out(name, f"its name, {wire_name}, has more than {MAX_NAME} characters")
            return None
        if not isinstance(schema, Mapping):
            self._leave_out(name, "its inputSchema is not an object")
            return None
        try:
            parameters = SchemaParameters.of(cast("Mapping[str, object]", schema))
        except ValueError as error:
            self._leave_out(name, str(error))
            return None
        return self._tool(name, wire_name, description, parameters)

    def _tool(
        self, name: str, wire_name: str, said: Mapping[str, object], parameters: SchemaParameters
    ) -> Tool:
        async def call(arguments: dict[str, object], context: ToolContext) -> str:
            return await self._call(name, arguments, context)

        settings = self._settings
        texts = [said["description"], said["title"], name]
        description = next(text for text in texts if isinstance(text, str) and text)
        needs_approval = settings.needs_approval(name)
        return Tool(
            name=wire_name,
            description=description[:MAX_DESCRIPTION],
            parameters=parameters,
            function=call,
            context_parameter="context",
            timeout=settings.timeout,
            needs_approval=needs_approval,
            approvers=role(*settings.approvers) if needs_approval and settings.approvers else None,
            four_eyes=needs_approval and settings.four_eyes,
            confidential=settings.is_confidential(name),
            allow=role(*settings.roles) if settings.roles is not None else None,
            max_calls=settings.max_calls,
            rpc=settings.allows_rpc(name) and not (needs_approval and settings.four_eyes),
        )

    def _leave_out(self, tool: str, reason: str) -> None:
        logger.warning("MCP server %s: tool %.100s skipped: %s", self._server, tool, reason)


@dataclass(frozen=True, slots=True)
class _Known:
    """A tool as the server describes it, and the Tool made of it, if any."""

    description: dict[str, object]
    tool: Tool | None = field(compare=False)
