"""The stream of a chat completion: events decoded into what is read of them, and no more, which
saves most of the time that the official client takes for a token.

https://platform.openai.com/docs/api-reference/chat/streaming
"""

import asyncio
import contextlib
from collections import deque
from typing import Any, Self

import aiohttp
import msgspec
from livekit.agents import APIConnectionError, APIError, APITimeoutError

from agent.models.event_stream import EventStreamDecoder, EventTooLargeError
from agent.models.openai_errors import broken_answer, stream_error
from agent.models.timeouts import Timeouts

_LINGER_SECONDS = 0.05
"""How long to wait after `[DONE]` for the end of the body, so that the connection can be kept."""


class FunctionDelta(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class ToolCallDelta(msgspec.Struct):
    index: int | None = 0
    id: str | None = None
    function: FunctionDelta | None = None
    extra_content: Any = None


class Delta(msgspec.Struct):
    content: str | list[Any] | None = None
    """Text; some services (Mistral) have it in parts, `[{"type": "text", "text": …}]`."""

    tool_calls: list[ToolCallDelta] | None = None
    extra_content: Any = None


class Choice(msgspec.Struct):
    delta: Delta | None = None
    finish_reason: str | None = None
    index: int = 0


class PromptTokensDetails(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class CompletionTokensDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: PromptTokensDetails | None = None
    completion_tokens_details: CompletionTokensDetails | None = None


class Chunk(msgspec.Struct):
    """An event of the stream; `error` is set where the server failed after it had begun."""

    id: str = ""
    choices: list[Choice] = []
    usage: Usage | None = None
    service_tier: str | None = None
    error: Any = None


def _only_text(chunk: Chunk) -> Delta | None:
    """The delta of a chunk that has nothing but text."""
    if len(chunk.choices) != 1 or chunk.usage is not None:
        return None
    choice = chunk.choices[0]
    delta = choice.delta
    if delta is None or not isinstance(delta.content, str) or choice.finish_reason is not None:
        return None
    return None if delta.tool_calls or delta.extra_content or choice.index else delta


_decode_chunk = msgspec.json.Decoder(Chunk).decode


class CompletionStream:
    """An async context manager and iterator of `Chunk`s.

    Leaving the block closes the connection unless the body has been read to its end. Raises
    APITimeoutError for silence, APIConnectionError for a stream that breaks off (a body cut short,
    or one without `[DONE]` and finish reason), is malformed, or has an `error` event. Chunks that
    came before a failure are given first.

    Text that has arrived together is given as one chunk: each chunk takes its way through the
    worker, or through a dozen tasks of AgentSession, which is most of the time of a fast answer.
    """

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        timeouts: Timeouts,
    ) -> None:
        self._response = response
        self._silence = timeouts.silence
        self._loop = asyncio.get_running_loop()
        self._deadline = self._loop.time() + timeouts.total
        self._asked_at: float | None = None
        """Since when something is waited for (`loop.time()`, s)."""
        self._watch: asyncio.TimerHandle | None = None
        self._decoder = EventStreamDecoder()
        self._ready: deque[Chunk] = deque()
        self._failure: APIError | None = None
        self._finished = False
        """Whether the model gave its finish reason."""
        self._ended = False
        """Whether nothing more is to be read."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back if the body is at its end, or close it."""
        self._ended = True
        self._ready.clear()
        if self._watch is not None:
            self._watch.cancel()
        self._response.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Chunk:
        while not self._ready:
            if self._failure is not None:
                self.close()
                raise self._failure
            if self._ended:
                await self._release()
                raise StopAsyncIteration
            await self._read()
        return self._ready.popleft()

    async def _read(self) -> None:
        """Take what has arrived, at least one piece, and decode it."""
        self._asked_at = self._loop.time()
        if self._watch is None:
            self._look_again()
        try:
            piece = await self._response.content.readany()
        except TimeoutError:
            self.close()
            raise APITimeoutError from None
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
            # RuntimeError is what aiohttp's StreamReader raises once the session is closed.
            self.close()
            raise APIConnectionError from error
        finally:
            self._asked_at = None
        try:
            events = self._decoder.feed(piece) if piece else self._decoder.finish()
            for event in events:
                if event.startswith(b"[DONE]"):
                    self._ended = True
                    return
                if event:  # some gateways keep a connection alive with events without data
                    self._take(_decode_chunk(event))
                if self._failure:
                    return
        except (msgspec.DecodeError, UnicodeDecodeError, EventTooLargeError) as error:
            self._fail("The stream of the answer is malformed.", error)
        else:
            if not piece:
                self._ended = True
                if not self._finished:
                    self._fail("The stream ended before the answer did.")

    def _look_again(self) -> None:
        """Has what is waited for time out when it is due. One timer looks after all pieces of a
        stream: a time limit for each of them costs more than decoding it."""
        now = self._loop.time()
        since = now if self._asked_at is None else self._asked_at
        due = min(since + self._silence, self._deadline)
        if due > now:
            self._watch = self._loop.call_at(due, self._look_again)
        elif self._asked_at is not None:
            self._response.content.set_exception(TimeoutError())
        else:
            self._watch = None

    def _take(self, chunk: Chunk) -> None:
        if chunk.error:
            self._failure = stream_error(chunk.error)
            return
        for choice in chunk.choices:
            if choice.finish_reason:
                self._finished = True
        text = _only_text(chunk)
        waiting = _only_text(self._ready[-1]) if text and self._ready else None
        if text and waiting:
            waiting.content = f"{waiting.content}{text.content}"
        else:
            self._ready.append(chunk)

    def _fail(self, message: str, cause: Exception | None = None) -> None:
        self._failure = broken_answer(message, cause)

    async def _release(self) -> None:
        """Read what little follows `[DONE]`, since only a body read whole frees its connection."""
        content = self._response.content
        with contextlib.suppress(TimeoutError, aiohttp.ClientError, OSError):
            async with asyncio.timeout(_LINGER_SECONDS):
                while not content.at_eof():
                    await content.readany()
        self.close()
