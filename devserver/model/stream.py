"""Sends one completion as an event stream, at its pace and with its faults."""

import asyncio
from collections.abc import Sequence

from aiohttp import web

from devserver.model.record import RecordedRequest
from devserver.model.script import Fault, Reply
from devserver.model.wire import Completion, error_body

_WRITE_EVENTS = 256
"""Events in one write, where they do not have to be paced: at most about 64 kB."""


async def stream_completion(
    http: web.Request,
    record: RecordedRequest,
    completion: Completion,
    reply: Reply,
    *,
    headers: dict[str, str],
) -> web.StreamResponse:
    """Answer `http` with the completion's events; a fault of the reply ends it as scripted."""
    response = web.StreamResponse(
        headers={**headers, "content-type": "text/event-stream", "cache-control": "no-cache"}
    )
    await response.prepare(http)
    await asyncio.sleep(reply.first_token_delay)
    events = completion.content()
    stream = _PacedStream(response, record, reply.token_delay or 0.0)
    if reply.fault is not Fault.SILENT or reply.after:
        await response.write(completion.opening())
    split = reply.after if reply.fault or reply.pause else len(events)
    await stream.send(events[:split])
    if reply.pause:
        await reply.pause.wait()
    if reply.fault:
        await _fail(http, response, reply)
        record.end("failed")
        return response
    await stream.send(events[split:])
    options = record.chat.stream_options
    await response.write(completion.closing(with_usage=bool(options and options.include_usage)))
    await response.write_eof()
    record.end("finished")
    return response


class _PacedStream:
    """Writes events `delay` seconds apart; those that are overdue leave in one write."""

    def __init__(self, response: web.StreamResponse, record: RecordedRequest, delay: float) -> None:
        self._response = response
        self._record = record
        self._delay = delay

    async def send(self, events: Sequence[bytes]) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        sent = 0
        while sent < len(events):
            due = min(self._due(loop.time() - start), len(events), sent + _WRITE_EVENTS)
            await self._response.write(b"".join(events[sent:due]))
            self._record.events_sent += due - sent
            sent = due
            if self._delay:
                await asyncio.sleep(start + sent * self._delay - loop.time())

    def _due(self, elapsed: float) -> int:
        """The number of events that should have been sent by now; the first leaves at once."""
        return int(elapsed / self._delay) + 1 if self._delay else 2**31


async def _fail(http: web.Request, response: web.StreamResponse, reply: Reply) -> None:
    match reply.fault:
        case Fault.SILENT:
            await forever()
        case Fault.MALFORMED:
            await response.write(b'data: {"choices": [{"delta":\n\n')
            await response.write_eof()
        case Fault.ERROR_EVENT:
            message = reply.message or "The demo model fails on request."
            error = error_body(message, kind="server_error", code="server_error")
            await response.write(b"data: %b\n\n" % error)
            await response.write_eof()
        case Fault.ENDED_EARLY:
            await response.write_eof()
        case _:
            hang_up(http)


async def forever() -> None:
    """Wait for the client to leave, or the model to close: both cancel the handler."""
    await asyncio.get_running_loop().create_future()


def hang_up(http: web.Request) -> None:
    """Close the connection once the written data is sent, without ending the body."""
    if http.transport is not None:
        http.transport.close()
