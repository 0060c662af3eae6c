"""A lean client of OpenAI-compatible chat completions, for livekit-agents' stream of them.

`livekit.agents.inference.LLMStream` uses little of the official client: `chat.completions.create(
stream=True, …)`. Here it, and `models.list()` to warm a connection up, send with aiohttp and decode
with msgspec, at a fraction of the time to the first token; errors are
openai's own exceptions. tests/agent/test_openai_client.py holds both clients to the same results.
"""

import asyncio
import io
from collections.abc import Mapping
from typing import Any

import aiohttp
import httpx2
import msgspec
import openai
from yarl import URL

from agent.models.openai_errors import MAX_BODY_BYTES, connection_error, status_error, timeout_error
from agent.models.openai_stream import CompletionStream
from agent.models.timeouts import Timeouts

_MAX_CONNECTIONS = 100
_KEEP_ALIVE_SECONDS = 120.0
_MAX_REDIRECTS = 5


class OpenAIClient:
    """Connections to one service, shared by all conversations of an event loop.

    Opens its pool with the first request, on the loop that runs then; end it with `close()`. Where
    a request brings a timeout of its own, as every request of the stream does, the shorter counts.
    Nothing is retried here: agent.models.assistant does that.

    Raises ValueError for a base URL that is not http(s) or that has credentials in it.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str | None = None,
        timeouts: Timeouts | None = None,
        proxy: str | None = None,
        headers: Mapping[str, str] | None = None,
        max_connections: int = _MAX_CONNECTIONS,
    ) -> None:
        self._url = _checked_url(base_url)
        self._api_key = api_key
        self._timeouts = timeouts or Timeouts()
        self._proxy = proxy
        self._headers = {"accept": "application/json", **(headers or {})}
        if api_key:
            self._headers["authorization"] = f"Bearer {api_key}"
        self._max_connections = max_connections
        self._session: aiohttp.ClientSession | None = None
        self._closed = False
        self.chat = Chat(self)
        self.models = Models(self)

    def __repr__(self) -> str:
        return f"OpenAIClient({self._url})"

    @property
    def netloc(self) -> str:
        """Host and port of the service; without the port where it is the scheme's own."""
        return self._url.host_port_subcomponent or ""

    async def close(self) -> None:
        """Close all connections, those of answers in progress included."""
        self._closed = True
        if self._session:
            await self._session.close()

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        timeouts: Timeouts | None = None,
    ) -> tuple[httpx2.Request, aiohttp.ClientResponse]:
        """Send a request; give back what names it in errors, and the answer, its body unread.

        Raises openai's APITimeoutError, APIConnectionError, or the APIStatusError of the status.
        """
        timeouts = timeouts or self._timeouts
        url = self._url / path
        # Stands for the request in openai's exceptions; it has no headers, so no key either.
        request = httpx2.Request(method, str(url))
        try:
            async with asyncio.timeout(timeouts.first_byte):
                response = await self._pool().request(
                    method,
                    url,
                    # aiohttp sends a file object in pieces, and warns of large bytes.
                    data=body if body is None or len(body) < 2**20 else io.BytesIO(body),
                    params=query,
                    headers={**self._headers, **(headers or {})},
                    proxy=self._proxy,
                    max_redirects=_MAX_REDIRECTS,
                    timeout=aiohttp.ClientTimeout(connect=timeouts.connect),
                )
        except TimeoutError as error:
            raise timeout_error(request) from error
        except aiohttp.ClientHttpProxyError:
            # Its text has the proxy's URL, which may have a password in it.
            raise connection_error(request, "The proxy refused the connection.") from None
        except (aiohttp.ClientError, OSError) as error:
            raise connection_error(request) from error
        if response.status >= 300:
            raise status_error(request, response, await self._error_body(response, timeouts))
        return request, response

    def timeouts_for(self, requested: object) -> Timeouts:
        """The timeouts of one request, from what `timeout=` of the official client takes."""
        match requested:
            case httpx2.Timeout():
                return self._timeouts.within(connect=requested.connect, read=requested.read)
            case int() | float():
                return self._timeouts.within(connect=requested, read=requested)
            case _:
                return self._timeouts

    async def _error_body(self, response: aiohttp.ClientResponse, timeouts: Timeouts) -> bytes:
        """At most 64 kB of what a server says to a failure, or as much as came through."""
        body = bytearray()
        try:
            async with asyncio.timeout(timeouts.silence):
                while len(body) < MAX_BODY_BYTES and (piece := await response.content.readany()):
                    body += piece
        except (TimeoutError, aiohttp.ClientError, OSError):
            pass
        finally:
            response.close()
        if self._api_key:
            body = body.replace(self._api_key.encode(), b"***")
        return bytes(body[:MAX_BODY_BYTES])

    def _pool(self) -> aiohttp.ClientSession:
        if self._closed:
            raise RuntimeError("the client is closed")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=self._max_connections, keepalive_timeout=_KEEP_ALIVE_SECONDS
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                # A compressed stream comes in blocks, later than its tokens.
                headers={"accept-encoding": "identity"},
                timeout=aiohttp.ClientTimeout(total=None),
            )
        return self._session


class Chat:
    """The `client.chat` of the official client, as far as it is used."""

    def __init__(self, client: OpenAIClient) -> None:
        self.completions = Completions(client)


class Completions:
    def __init__(self, client: OpenAIClient) -> None:
        self._client = client
        self._takes_stream_options = True

    async def create(
        self,
        *,
        timeout: object = None,  # noqa: ASYNC109 # the official client's parameter
        extra_headers: Mapping[str, Any] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        **fields: object,
    ) -> CompletionStream:
        """Ask for a completion as a stream; `fields` are those of the request's body.

        A service that knows no `stream_options` (answers 400 and names it) is asked again without,
        and from then on never with: its answers come without usage.
        """
        body = {**_given(fields), **(extra_body or {})}
        body["stream"] = True
        if not self._takes_stream_options:
            body.pop("stream_options", None)
        timeouts = self._client.timeouts_for(timeout)

        async def send() -> CompletionStream:
            request, response = await self._client.request(
                "POST",
                "chat/completions",
                body=msgspec.json.encode(body),
                headers={"content-type": "application/json", **_texts(extra_headers)},
                query=_texts(extra_query),
                timeouts=timeouts,
            )
            return CompletionStream(response, request, timeouts)

        try:
            return await send()
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            if "stream_options" not in body or "stream_options" not in error.message:
                raise
            self._takes_stream_options = False
            del body["stream_options"]
        return await send()


class _ModelName(msgspec.Struct):
    id: str


class _ModelList(msgspec.Struct):
    data: list[_ModelName] = []


class Models:
    """The `client.models` of the official client, as far as it is used."""

    def __init__(self, client: OpenAIClient) -> None:
        self._client = client

    async def list(self) -> list[str]:
        """Names of the models that the service offers; asking also opens a connection to it.

        Raises openai's exceptions, APIConnectionError too for an answer that is no such list.
        """
        request, response = await self._client.request("GET", "models")
        try:
            async with response:
                raw = await response.content.read(2**20)
            return [model.id for model in msgspec.json.decode(raw, type=_ModelList).data]
        except TimeoutError:
            raise timeout_error(request) from None
        except (aiohttp.ClientError, OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise connection_error(request) from error


def _checked_url(base_url: str) -> URL:
    url = URL(base_url.rstrip("/"))
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError("the base URL of the model service starts with http:// or https://")
    if url.user is not None or url.password is not None:
        raise ValueError("the base URL of the model service has credentials in it: use the API key")
    return url


def _given(fields: Mapping[str, object]) -> dict[str, object]:
    """Leave out what stands for "not given" in the official client."""
    return {
        name: value
        for name, value in fields.items()
        if not isinstance(value, openai.Omit | openai.NotGiven)
    }


def _texts(values: Mapping[str, object] | None) -> dict[str, str]:
    return {name: str(value) for name, value in _given(values or {}).items()}
