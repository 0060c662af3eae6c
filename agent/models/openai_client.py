"""Requests to an OpenAI-compatible service for chat completions, at a fraction of the official
client's time to the first token: aiohttp sends, msgspec encodes and decodes.

https://platform.openai.com/docs/api-reference/chat/create. tests/agent/models/test_openai_client.py
holds it to what livekit-plugins-openai does with the official client.
"""

import asyncio
import io
import logging
from collections.abc import Mapping
from typing import Final

import aiohttp
import msgspec
from livekit.agents import APIConnectionError, APIStatusError, APITimeoutError
from yarl import URL

from agent.models.dialect import Dialect, Dialects
from agent.models.openai_errors import MAX_BODY_BYTES, describe, report_of, status_error
from agent.models.openai_stream import CompletionStream
from agent.models.refused_field import refused_part
from agent.models.service_health import ServiceHealth
from agent.models.service_words import ServiceWords
from agent.models.timeouts import Timeouts

logger = logging.getLogger(__name__)

MAX_CONNECTIONS: Final = 100
_KEEP_ALIVE_SECONDS = 120.0
_MAX_REDIRECTS = 5
_USER_AGENT = "livekit-room-agent"
_MAX_ADAPTATIONS: Final = 6
"""Parts of one request that are left out, one after the other, before it is given up."""

_NO_WORDS: Final = ServiceWords()


class OpenAIClient:
    """Connections to one service, shared by all conversations of an event loop.

    Opens its pool with the first request, on the loop that runs then; end it with `close()`. If a
    request has a timeout of its own, the shorter one counts. Nothing is retried here:
    agent.models.retrying_llm does that.

    Raises ValueError for a base URL that is not http(s) or that has credentials in it.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str | None = None,
        timeouts: Timeouts | None = None,
        proxy: str | None = None,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        self._url = _checked_url(base_url)
        self._urls = {path: _url_of(self._url, path) for path in ("chat/completions", "models")}
        self._api_key = api_key
        self._timeouts = timeouts or Timeouts()
        self._proxy = proxy
        self._headers = {"accept": "application/json", "user-agent": _USER_AGENT}
        if api_key:
            name, value = _authorization(self._url, api_key)
            self._headers[name] = value
        self._max_connections = max_connections
        self._session: aiohttp.ClientSession | None = None
        self._closed = False
        self._dialects = Dialects()
        self.health = ServiceHealth()

    def __repr__(self) -> str:
        # Without the query: some services have their key in it.
        return f"OpenAIClient({self._url.with_query(None)})"

    @property
    def netloc(self) -> str:
        """Host and port of the service; without the port if it is the scheme's default."""
        return self._url.host_port_subcomponent or ""

    async def close(self) -> None:
        """Close all connections, those of answers in progress included."""
        self._closed = True
        if self._session:
            await self._session.close()

    def dialect(self, model: str) -> Dialect:
        """The known differences of the service for a model."""
        return self._dialects.of(model)

    async def complete(
        self, body: Mapping[str, object], *, silence: float | None = None
    ) -> CompletionStream:
        """Ask for a completion as a stream; `body` is the request's, as the API has it.

        If a service refuses an optional part of the request (`tools`, `stream_options`,
        `temperature` …), the request is retried without it. The client remembers which part helped
        and leaves it out of later requests for this model.

        Args:
            silence: seconds without anything from the service, if shorter than the client's.

        Raises:
            APIStatusError: the service refuses.
            APITimeoutError, APIConnectionError: it does not answer in time, or cannot be reached.
        """
        timeouts = self._timeouts.within(connect=silence, read=silence)
        dialect = self.dialect(str(body.get("model")))
        body = {**body, "stream": True, "stream_options": {"include_usage": True}}
        words = ServiceWords(body, self._api_key)
        left_out: list[str] = []
        while True:
            adapted = dialect.adapted(body, left_out)
            try:
                stream = await self._send(adapted, timeouts, words)
            except APIStatusError as error:
                part = refused_part(error.status_code, report_of(error), adapted)
                known = (*dialect.refused, *left_out)
                if part is None or part in known or len(left_out) == _MAX_ADAPTATIONS:
                    raise
                _log_refusal(part, error, body)
                left_out.append(part)
            else:
                if left_out:
                    dialect.refuse(left_out)
                return stream

    async def models(self) -> list[str]:
        """Names of the models that the service offers; asking also opens a connection to it.

        Raises as `complete` does, APIConnectionError too for an answer that is no such list.
        """
        response = await self._request("GET", "models", self._timeouts)
        try:
            async with response:
                raw = await response.content.read(2**20)
            return [model.id for model in msgspec.json.decode(raw, type=_ModelList).data]
        except TimeoutError:
            raise APITimeoutError from None
        except (
            aiohttp.ClientError,
            OSError,
            msgspec.DecodeError,
            UnicodeDecodeError,
            RecursionError,
        ) as error:
            raise APIConnectionError from error

    async def _send(
        self, body: Mapping[str, object], timeouts: Timeouts, words: ServiceWords
    ) -> CompletionStream:
        data = msgspec.json.encode(body)
        response = await self._request("POST", "chat/completions", timeouts, data, words)
        return CompletionStream(response, timeouts, words)

    async def _request(
        self,
        method: str,
        path: str,
        timeouts: Timeouts,
        data: bytes | None = None,
        words: ServiceWords = _NO_WORDS,
    ) -> aiohttp.ClientResponse:
        """Send a request; give back the answer, its body unread."""
        headers = self._headers
        if data is not None:
            headers = {**headers, "content-type": "application/json"}
        try:
            async with asyncio.timeout(timeouts.first_byte):
                response = await self._pool().request(
                    method,
                    self._urls[path],
                    # aiohttp sends a file object in pieces, and warns of large bytes.
                    data=data if data is None or len(data) < 2**20 else io.BytesIO(data),
                    headers=headers,
                    proxy=self._proxy,
                    max_redirects=_MAX_REDIRECTS,
                    timeout=aiohttp.ClientTimeout(connect=timeouts.connect),
                )
        except TimeoutError as error:
            raise APITimeoutError from error
        except aiohttp.ClientHttpProxyError:
            # Its text has the proxy's URL, which may have a password in it.
            raise APIConnectionError("The proxy refused the connection.") from None
        except (aiohttp.ClientError, OSError) as error:
            raise APIConnectionError from error
        if response.status >= 300:
            raise status_error(response, await self._error_body(response, timeouts), words)
        return response

    async def _error_body(self, response: aiohttp.ClientResponse, timeouts: Timeouts) -> bytes:
        """Up to 64 kB of a server's error response."""
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


class _ModelName(msgspec.Struct):
    id: str


class _ModelList(msgspec.Struct):
    data: list[_ModelName] = []


def _checked_url(base_url: str) -> URL:
    """The base URL; that of the method itself, which some documents show, is taken for it."""
    url = URL(base_url)
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError("the base URL of the model service starts with http:// or https://")
    if url.user is not None or url.password is not None:
        raise ValueError("the base URL of the model service has credentials in it: use the API key")
    path = url.raw_path.rstrip("/").removesuffix("/chat/completions").rstrip("/")
    return url.with_path(path, encoded=True).with_query(url.query)


def _url_of(base: URL, path: str) -> URL:
    """A method's URL, with the query of the base URL: Azure's has `?api-version=…`."""
    return base.joinpath(*path.split("/")).with_query(base.query)


def _authorization(url: URL, api_key: str) -> tuple[str, str]:
    """The header with the key. Azure's deployments take keys in one of their own; their tokens
    (JWT), and keys for its newer `/openai/v1`, are taken as everywhere.

    https://learn.microsoft.com/azure/ai-services/openai/reference#authentication
    """
    if "api-version" in url.query and not api_key.startswith("eyJ"):
        return "api-key", api_key
    return "authorization", f"Bearer {api_key}"


def _log_refusal(part: str, error: APIStatusError, body: Mapping[str, object]) -> None:
    logger.warning(
        "model service refuses requests for %s with %s; retrying without it from now on (%s)",
        body.get("model"),
        part,
        describe(error),
    )
