"""Streams to an MCP server behind a URL; its answers have a bound."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

import httpx2
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from agent.config.mcp_servers import HttpServer
from agent.mcp.escapes import EscapeMender

MAX_RESPONSE_BYTES = 8 * 1_048_576
"""Largest response, in bytes, that is not a stream of events; mcp limits each event to 1 MiB.
Pictures in a result are not shown, but count."""

CONNECT_TIMEOUT = 5.0
SILENCE = 300.0
"""Seconds without a byte; a stream of events may be idle."""


def http_streams(
    settings: HttpServer, proxy: str | None, auth: httpx2.Auth | None
) -> AbstractAsyncContextManager[Any]:
    """mcp's streams to the server, over an HTTP client that gives up answers that are too long.

    mcp reads an answer of JSON to its end, however long that is (mcp/client/streamable_http.py),
    and compressed ones are unpacked meanwhile.
    """
    headers = {name: value.get_secret_value() for name, value in settings.headers.items()}
    client = partial(_client, proxy)
    if settings.type == "sse":
        return sse_client(
            settings.url,
            headers=headers,
            timeout=CONNECT_TIMEOUT,
            sse_read_timeout=SILENCE,
            httpx_client_factory=client,
            auth=auth,
        )
    timeout = httpx2.Timeout(CONNECT_TIMEOUT, read=SILENCE)
    return _streamable(settings.url, client(headers, timeout, auth))


@asynccontextmanager
async def _streamable(url: str, client: httpx2.AsyncClient) -> AsyncGenerator[Any]:
    async with client, streamable_http_client(url, http_client=client) as streams:
        yield streams


def _client(
    proxy: str | None,
    headers: dict[str, Any] | None = None,
    timeout: httpx2.Timeout | None = None,
    auth: httpx2.Auth | None = None,
) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        headers={**(headers or {}), "Accept-Encoding": "identity"},
        timeout=timeout,
        auth=auth,
        event_hooks={"response": [_bound]},
        proxy=proxy,
        trust_env=False,
    )


async def _bound(response: httpx2.Response) -> None:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise httpx2.DecodingError("a compressed response that was not requested")
    is_events = response.headers.get("content-type", "").startswith("text/event-stream")
    if isinstance(response.stream, httpx2.AsyncByteStream):
        limit = None if is_events else MAX_RESPONSE_BYTES
        response.stream = _Answer(response.stream, limit)


class _Answer(httpx2.AsyncByteStream):
    """An answer's bytes, with mended escapes.

    Raises ReadError beyond the limit, as if the connection had broken off.
    """

    def __init__(self, stream: httpx2.AsyncByteStream, limit: int | None) -> None:
        self._stream = stream
        self._limit = limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        mender = EscapeMender()
        async for chunk in self._stream:
            size += len(chunk)
            if self._limit is not None and size > self._limit:
                raise httpx2.ReadError(f"an answer of more than {self._limit} bytes")
            if mended := mender.feed(chunk):
                yield mended
        if rest := mender.end():
            yield rest

    async def aclose(self) -> None:
        await self._stream.aclose()
