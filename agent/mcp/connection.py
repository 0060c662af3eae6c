"""McpConnection: one MCP server, connected, watched, and connected again."""

from __future__ import annotations

import asyncio
import logging
import random
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from livekit.agents import llm
from livekit.agents.llm.mcp import MCPServer

from agent.mcp.result import text_of
from agent.mcp.server_settings import HttpServer, StdioServer
from agent.mcp.transport import CONNECT_TIMEOUT, open_server
from tools.errors import ToolError, Unavailable
from tools.permission import role
from tools.schema_parameters import SchemaParameters
from tools.tool import Tool

T = TypeVar("T")

Function = llm.RawFunctionTool[..., Coroutine[Any, Any, object]]
logger = logging.getLogger(__name__)

CHECK_INTERVAL = 15.0
CHECK_TIMEOUT = 5.0
CLOSE_TIMEOUT = 10.0
"""Seconds; a program is given some to end by itself (mcp, client/stdio.py)."""

FIRST_DELAY = 1.0
LONGEST_DELAY = 60.0
STABLE = 60.0
"""Seconds after which a connection counts as one that works, and the next delay is the first."""

MAX_TOOLS = 128
MAX_NAME = 64
MAX_DESCRIPTION = 4_000
MAX_ERROR = 1_000


class McpConnection:
    """Keeps one server connected, and its tools callable.

    The server is asked for its tools every now and then, and at once when a call goes wrong: who
    does not answer in time is connected anew, with growing delays. Once known, its tools stay: a
    call while it is away is answered with Unavailable.

    Args:
        on_change: called when the tools change, or whether they can be called.
    """

    def __init__(
        self, name: str, settings: StdioServer | HttpServer, *, on_change: Callable[[], None]
    ) -> None:
        self.name = name
        self.tools: tuple[Tool, ...] = ()
        self._settings = settings
        self._on_change = on_change
        self._functions: dict[str, Function] | None = None
        self._known: dict[str, _Known] = {}
        self._suspicion = asyncio.Event()
        self._tried = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._requests: set[asyncio.Task[Any]] = set()

    @property
    def is_up(self) -> bool:
        """Whether the server answered when it was last asked."""
        return self._functions is not None

    def start(self) -> None:
        """Begins to connect."""
        self._task = asyncio.create_task(self._keep_connected(), name=f"MCP server {self.name}")

    async def tried(self) -> None:
        """Returns when the first attempt has succeeded or failed."""
        await self._tried.wait()

    async def aclose(self) -> None:
        """Ends the connection, and the program if it is one."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep_connected(self) -> None:
        clock = asyncio.get_running_loop().time
        delay = FIRST_DELAY
        while True:
            server = open_server(self._settings, text_of)
            connected = clock()
            try:
                await self._connect(server)
                connected = clock()
                await self._watch(server)
            except Exception as error:
                # The boundary around one server: the others, and all rooms, go on. Only the
                # error's kind is logged, for its words may have secrets in them.
                logger.warning("MCP server %s is away: %s", self.name, _kind(error))
            finally:
                self._functions = None
                self._tried.set()
                await self._close(server)
            self._on_change()
            if clock() - connected > STABLE:
                delay = FIRST_DELAY
            await asyncio.sleep(delay * random.uniform(0.8, 1.2))  # noqa: S311 - to spread attempts
            delay = min(delay * 2, LONGEST_DELAY)

    async def _connect(self, server: MCPServer) -> None:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            await server.initialize()
            self._take(await self._tools_of(server))
        logger.info("MCP server %s is connected: %s tools", self.name, len(self.tools))
        self._tried.set()

    async def _watch(self, server: MCPServer) -> None:
        """Asks for the tools now and then; raises when there is no answer."""
        while True:
            self._suspicion.clear()
            try:
                async with asyncio.timeout(CHECK_INTERVAL):
                    await self._suspicion.wait()
            except TimeoutError:
                pass
            server.invalidate_cache()
            async with asyncio.timeout(CHECK_TIMEOUT):
                self._take(await self._tools_of(server))

    async def _close(self, server: MCPServer) -> None:
        # In a task of its own: MCPServer.aclose may swallow a cancellation that is meant for us.
        # Waited for in any case: its program is to have ended when we have.
        closing = asyncio.create_task(self._end(server), name=f"close MCP server {self.name}")
        try:
            await asyncio.wait([closing])
        finally:
            await asyncio.wait([closing])

    async def _end(self, server: MCPServer) -> None:
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await server.aclose()
                if self._requests:
                    await asyncio.wait(self._requests)
        except Exception as error:
            # The boundary around one server, as above: it is given up in any case.
            logger.info("MCP server %s ended with %s", self.name, _kind(error))

    def _take(self, listed: list[Function]) -> None:
        """Takes the server's tools; one that is as it was keeps its Tool."""
        wanted = self._settings.tools
        listed = [each for each in listed if wanted is None or each.info.name in wanted]
        if len(listed) > MAX_TOOLS:
            logger.warning("MCP server %s: only %s tools are used", self.name, MAX_TOOLS)
        was_up, self._functions = self.is_up, {each.info.name: each for each in listed[:MAX_TOOLS]}
        before, self._known = self._known, {}
        for name, function in self._functions.items():
            schema = function.info.raw_schema
            known = before.get(name)
            if known is None or known.schema != schema:
                known = _Known(schema, self._tool(name, schema))
            self._known[name] = known
        if self._known != before or not was_up:
            self.tools = tuple(known.tool for known in self._known.values() if known.tool)
            self._on_change()

    def _tool(self, name: str, schema: dict[str, Any]) -> Tool | None:
        wire_name = re.sub(r"[^A-Za-z0-9_-]", "_", f"{self.name}_{name}")
        if len(wire_name) > MAX_NAME:
            logger.warning("MCP server %s: the name of a tool is too long: %s", self.name, name)
            return None
        try:
            parameters = SchemaParameters.of({"type": "object", **schema["parameters"]})
        except ValueError as error:
            logger.warning("MCP server %s: %s: %s", self.name, name, error)
            return None

        async def call(arguments: dict[str, object]) -> str:
            return await self._call(name, arguments)

        settings = self._settings
        return Tool(
            name=wire_name,
            description=(schema["description"] or name)[:MAX_DESCRIPTION],
            parameters=parameters,
            function=call,
            timeout=settings.timeout,
            needs_approval=settings.needs_approval(name),
            allow=role(*settings.roles) if settings.roles is not None else None,
            max_calls=settings.max_calls,
            rpc=settings.allows_rpc(name),
        )

    async def _call(self, name: str, arguments: dict[str, object]) -> str:
        function = self._functions.get(name) if self._functions is not None else None
        if function is None:
            raise Unavailable(f"The MCP server {self.name} cannot be reached")
        try:
            return str(await self._request(function(arguments)))
        except ToolError:
            raise
        except llm.ToolError as error:
            # What the server says of it, to the model and the caller.
            raise ToolError(str(error)[:MAX_ERROR]) from None
        except asyncio.CancelledError:
            self._suspicion.set()  # It may have taken too long.
            raise
        except Exception as error:
            # The boundary to another program: whatever the transport raises. Only its kind is
            # logged, as above.
            self._suspicion.set()
            logger.warning("MCP server %s: a call failed: %s", self.name, _kind(error))
            raise Unavailable(f"The MCP server {self.name} did not answer") from None

    async def _tools_of(self, server: MCPServer) -> list[Function]:
        listing = cast("Coroutine[Any, Any, list[Function]]", server.list_tools())
        return await self._request(listing)

    async def _request(self, request: Coroutine[Any, Any, T]) -> T:
        """Waits for an answer; who gives up has done so at once.

        mcp tells the server of a request that is given up, and takes up to 5 s for that if the
        server does not read (_ABANDON_WRITE_TIMEOUT in mcp/shared/jsonrpc_dispatcher.py). It may do
        so by itself; `_end` waits for it.
        """
        task = asyncio.create_task(request)
        self._requests.add(task)
        task.add_done_callback(self._requests.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.cancel()
            raise


def _kind(error: BaseException) -> str:
    """What went wrong in one word; of a group's errors, as task groups raise them, the first."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return type(error).__name__


@dataclass(frozen=True, slots=True)
class _Known:
    """A tool as the server describes it, and what was made of it, if anything."""

    schema: dict[str, Any]
    tool: Tool | None = field(compare=False)
