"""The stream of a chat completion: decodes only the fields that are used, which saves most of the
time that the official client takes for a token.

https://platform.openai.com/docs/api-reference/chat/streaming
"""

import asyncio
import contextlib
import logging
from collections import deque
from typing import Self

import aiohttp
import msgspec
from livekit.agents import APIConnectionError, APIError, APITimeoutError

from agent.models.chunks import Choice, Chunk, Delta, only_text
from agent.models.event_stream import ErrorData, EventStreamDecoder, EventTooLargeError
from agent.models.finish_reason import ERROR, finish_reason
from agent.models.loose_chunks import chunks_of, error_of
from agent.models.openai_errors import EndedEarlyError, broken_answer, stream_error
from agent.models.service_words import ServiceWords
from agent.models.timeouts import Timeouts

logger = logging.getLogger(__name__)

_LINGER_SECONDS = 0.05
"""Seconds to wait after `[DONE]` for the end of the body, so that the connection can be reused."""

_AFTER_FINISH_SECONDS = 5.0
"""Seconds to wait after a finish reason for further events: the usage, and `[DONE]`."""

_decode_chunk = msgspec.json.Decoder(Chunk).decode


class CompletionStream:
    """An async context manager and iterator of `Chunk`s.

    Leaving the block closes the connection unless the body has been read to its end. Raises
    APITimeoutError for silence, APIConnectionError for a stream that breaks off (a body cut short,
    or one without `[DONE]` and finish reason), is malformed, or reports an error in any form. It
    yields the chunks that came before a failure first.

    Once the model has given its finish reason the answer is complete: later errors of the stream
    are only logged.

    A body that is no stream, but the whole completion as JSON, is one chunk.

    Text that has arrived together is given as one chunk: each chunk takes its way through the
    worker, or through a dozen tasks of AgentSession, which is most of the time of a fast answer.
    """

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        timeouts: Timeouts,
        words: ServiceWords | None = None,
    ) -> None:
        self._response = response
        self._words = words or ServiceWords()
        self._silence = timeouts.silence
        self._loop = asyncio.get_running_loop()
        self._deadline = self._loop.time() + timeouts.total
        self._asked_at: float | None = None
        """When the current wait began (`loop.time()`, s)."""
        self._watch: asyncio.TimerHandle | None = None
        self._decoder = EventStreamDecoder()
        self._ready: deque[Chunk] = deque()
        self._latest: Delta | None = None
        """The delta of the latest chunk, if that has nothing but text."""
        self._failure: APIError | None = None
        self._finished = False
        """Whether the model gave its finish reason."""
        self._ended = False
        """Whether the stream has ended."""

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
        """Take the pieces that have arrived, at least one, and decode them."""
        self._asked_at = self._loop.time()
        if self._watch is None:
            self._look_again()
        try:
            piece = await self._response.content.readany()
        except TimeoutError:
            self._break_off(APITimeoutError())
            return
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
            # RuntimeError is what aiohttp's StreamReader raises once the session is closed.
            failure = APIConnectionError()
            failure.__cause__ = error
            self._break_off(failure)
            return
        finally:
            self._asked_at = None
        try:
            self._decode(self._decoder.feed(piece) if piece else self._decoder.finish())
        except (ValueError, EventTooLargeError) as error:
            self._fail(broken_answer("The stream of the answer is malformed.", error))
        if not piece and not self._ended and self._failure is None:
            self._ended = True
            if not self._finished:
                self._fail(broken_answer(EndedEarlyError()))

    def _decode(self, events: list[bytes]) -> None:
        for event in events:
            if event.__class__ is bytes and event.startswith(b"{"):
                try:
                    chunk = _decode_chunk(event)
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                    pass
                else:
                    if chunk.choices and not chunk.error:
                        self._take(chunk)
                        if self._failure is not None:
                            return
                        continue
            if not self._decode_other(event):
                return

    def _decode_other(self, event: bytes) -> bool:
        """Handles an event that is not a plain chunk; returns whether others may follow it."""
        if isinstance(event, ErrorData):
            self._fail_as_told(error_of(event))
        elif event.strip(b' \t\r\n"').startswith(b"[DONE]"):
            self._ended = True
        else:
            for chunk in chunks_of(event):
                self._take(chunk)
        return self._failure is None and not self._ended

    def _break_off(self, failure: APIError) -> None:
        """Handles the end of the connection; a finished answer is complete."""
        ready = self._ready.copy()
        self.close()
        self._ready = ready
        self._fail(failure)

    def _look_again(self) -> None:
        """Times out the current wait. One timer serves all pieces of a stream: a timeout for each
        piece costs more than decoding it."""
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
        for choice in chunk.choices or ():
            if choice.finish_reason or choice.error or choice.delta is None:
                self._note_finish(choice)
        text = only_text(chunk)
        if text is not None and self._latest is not None and self._ready:
            self._latest.content = f"{self._latest.content}{text.content}"
        elif chunk.choices or chunk.usage is not None:
            self._ready.append(chunk)
            self._latest = text
        if chunk.error:
            self._fail_as_told(chunk.error)

    def _note_finish(self, choice: Choice) -> None:
        reason = finish_reason(choice.finish_reason or "")
        if choice.error or reason == ERROR:
            told = choice.error or f"The model stopped: {choice.finish_reason}"
            choice.finish_reason = None
            self._fail_as_told(told)
        elif (reason or choice.message is not None) and not self._finished:
            self._finished = True
            self._silence = min(self._silence, _AFTER_FINISH_SECONDS)
            if self._watch is not None:
                self._watch.cancel()
                self._watch = None

    def _fail_as_told(self, error: object) -> None:
        self._fail(stream_error(error, self._words))

    def _fail(self, failure: APIError) -> None:
        """Ends the stream; the failure is raised after the pieces before it."""
        if self._finished:
            logger.debug(
                "stream failed after its answer had finished; ignoring the failure",
                exc_info=failure,
            )
            self._ended = True
        elif self._failure is None:
            self._failure = failure

    async def _release(self) -> None:
        """Read the little that follows `[DONE]`, since only a body read to its end frees the
        connection."""
        content = self._response.content
        with contextlib.suppress(TimeoutError, aiohttp.ClientError, OSError, RuntimeError):
            async with asyncio.timeout(_LINGER_SECONDS):
                while not content.at_eof():
                    await content.readany()
        self.close()
