"""McpSession: a session with one server, from its handshake to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, cast

from mcp import ClientSession
from mcp.client.session import IncomingMessage
from mcp.types import PaginatedRequestParams, Result, ToolListChangedNotification

from agent.mcp.dispatcher import RAW, RawResults

MAX_PAGES = 20
"""Pages of a list of tools."""

Streams = AbstractAsyncContextManager[tuple[Any, Any]]


class McpSession:
    """Talks to a server over streams; results are as the server sent them.

    Args:
        streams: the streams from and to the server; opened and closed by one task, as anyio asks.
        patience: seconds that a request may take; None: the caller cancels it.
        on_tools: called when the server says that its tools have changed.
        questions: mcp's callbacks for the server's questions, by their names.
    """

    def __init__(
        self,
        streams: Streams,
        *,
        patience: float | None,
        on_tools: Callable[[], None] | None = None,
        questions: Mapping[str, Any] | None = None,
    ) -> None:
        self._streams = streams
        self._patience = patience
        self._on_tools = on_tools
        self._questions = questions or {}
        self._client: asyncio.Future[ClientSession] = asyncio.get_running_loop().create_future()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connects; raises the errors of the transport or the handshake."""
        self._task = asyncio.create_task(self._run(), name="MCP session")
        await asyncio.wait([self._task, self._client], return_when=asyncio.FIRST_COMPLETED)
        if not self._client.done():
            await self._task

    async def list_tools(self, limit: int) -> list[object]:
        """The server's tools, page by page, until there are more than `limit`."""
        client = self._client.result()
        tools: list[object] = []
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            params = PaginatedRequestParams(cursor=cursor) if cursor else None
            page = _raw(await client.list_tools(params=params))
            listed = page.get("tools")
            if not isinstance(listed, list):
                raise TypeError("tools/list has no list of tools")
            tools += cast("list[object]", listed)
            cursor = _text(page.get("nextCursor"))
            if not cursor or len(tools) > limit:
                break
        return tools

    async def call(self, name: str, arguments: dict[str, Any]) -> Mapping[str, object]:
        """The result of a tool."""
        return _raw(await self._client.result().call_tool(name, arguments))

    async def aclose(self) -> None:
        """Closes the session, and the program if it is one; raises the errors of either."""
        self._closing.set()
        if self._task is None:
            return
        if not self._client.done():
            self._task.cancel()
        [error] = await asyncio.gather(self._task, return_exceptions=True)
        if isinstance(error, Exception):
            raise error

    async def _run(self) -> None:
        async with self._streams as (read, write):
            dispatcher = RawResults(read, write)
            async with ClientSession(
                dispatcher=dispatcher,
                read_timeout_seconds=self._patience,
                message_handler=self._hear,
                **self._questions,
            ) as client:
                await client.initialize()
                self._client.set_result(client)
                await self._closing.wait()

    async def _hear(self, message: IncomingMessage) -> None:
        if isinstance(message, ToolListChangedNotification) and self._on_tools is not None:
            self._on_tools()


def _raw(result: Result) -> Mapping[str, object]:
    return cast("Mapping[str, object]", (result.meta or {})[RAW])


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
