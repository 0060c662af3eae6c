"""An MCP server behind a URL, whose answers have a bound."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx2
from livekit.agents.llm.mcp import MCPServerHTTP, MCPToolResultResolver
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

MAX_RESPONSE_BYTES = 8 * 1_048_576
"""Of an answer that is no stream of events: those have 1 MiB each, by mcp. Pictures in a result are
not shown, and yet part of it."""

CONNECT_TIMEOUT = 5.0
SILENCE = 300.0
"""Seconds without a byte, as livekit-agents has it; a stream of events may have nothing to say."""


class BoundedHttpServer(MCPServerHTTP):
    """livekit-agents' MCPServerHTTP, with an HTTP client that gives up answers that are too long.

    mcp reads an answer of JSON to its end, however long that is (mcp/client/streamable_http.py),
    and compressed ones are unpacked meanwhile.
    """

    def __init__(
        self,
        url: str,
        *,
        by_events: bool,
        headers: Mapping[str, str],
        patience: float,
        resolve: MCPToolResultResolver,
    ) -> None:
        super().__init__(
            url,
            transport_type="sse" if by_events else "streamable_http",
            headers=dict(headers),
            client_session_timeout_seconds=patience,
            tool_result_resolver=resolve,
        )
        self._by_events = by_events

    def client_streams(self) -> AbstractAsyncContextManager[Any]:
        if self._by_events:
            return sse_client(
                self.url,
                headers=self.headers,
                timeout=CONNECT_TIMEOUT,
                sse_read_timeout=SILENCE,
                httpx_client_factory=_client,
            )
        return self._streams()

    @asynccontextmanager
    async def _streams(self) -> AsyncGenerator[Any]:
        timeout = httpx2.Timeout(CONNECT_TIMEOUT, read=SILENCE)
        async with (
            _client(self.headers, timeout) as client,
            streamable_http_client(self.url, http_client=client) as streams,
        ):
            yield streams


def _client(
    headers: dict[str, Any] | None = None,
    timeout: httpx2.Timeout | None = None,
    auth: httpx2.Auth | None = None,
) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        headers={**(headers or {}), "Accept-Encoding": "identity"},
        timeout=timeout,
        auth=auth,
        event_hooks={"response": [_bound]},
    )


async def _bound(response: httpx2.Response) -> None:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise httpx2.DecodingError("a compressed answer, which was not asked for")
    is_events = response.headers.get("content-type", "").startswith("text/event-stream")
    if not is_events and isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _Bounded(response.stream)


class _Bounded(httpx2.AsyncByteStream):
    """An answer's bytes; raises ReadError, as if it had broken off, where there are too many."""

    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > MAX_RESPONSE_BYTES:
                raise httpx2.ReadError(f"an answer of more than {MAX_RESPONSE_BYTES} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
