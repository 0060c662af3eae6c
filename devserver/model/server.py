"""A scripted OpenAI-compatible server, for development and tests without a key or a network.

It says plainly what it is, calls the weather and time tools when asked, quotes the conversation,
and fails in any way that a test asks for. By itself: `python -m devserver.model --port 8080`.
"""

import argparse
import asyncio
import contextlib
import dataclasses
import ipaddress
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Final, Self

import msgspec
from aiohttp import web

from devserver.model.answers import answer
from devserver.model.http import api_errors, error_response, json_response
from devserver.model.record import RecordedRequest, RequestRecord
from devserver.model.script import Fault, Reply, Script, Scripted, tool_call
from devserver.model.stream import forever, hang_up, stream_completion
from devserver.model.wire import ChatRequest, Completion, ToolCall, decode_request, split_tokens

__all__ = ["DemoModel", "Fault", "Reply", "serve", "tool_call"]

MODEL_NAME: Final = "demo-model"
MAX_BODY_BYTES: Final = 4 * 2**20
_CREATED: Final = 1_700_000_000
_SHUTDOWN_SECONDS: Final = 1.0


class DemoModel:
    """The server; an async context manager that listens from entry to exit.

    `token_delay` is the pace of answers in seconds between tokens. With `api_key`, requests
    without it get 401. Only a loopback `host` is accepted. `port` 0 takes a free one.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        token_delay: float = 0.0,
        api_key: str | None = None,
    ) -> None:
        if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"the demo model listens on loopback only, not on {host}")
        self.requests = RequestRecord()
        self._host = host
        self._port = port
        self._token_delay = token_delay
        self._api_key = api_key
        self._script = Script()
        self._connections: set[asyncio.Transport] = set()
        self._runner: web.AppRunner | None = None

    @property
    def base_url(self) -> str:
        """The value for OPENAI_BASE_URL, such as http://127.0.0.1:8080/v1."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}/v1"

    @property
    def scripted(self) -> int:
        """Number of queued replies that no request has taken yet."""
        return self._script.pending

    def script(self, *replies: Scripted) -> None:
        """Answer the next requests with these, one each, in this order; then unscripted again."""
        self._script.add(*replies)

    def when(self, substring: str, reply: Scripted) -> None:
        """Answer so whenever the user's last message contains `substring`.

        Rules come before the queue, the first that fits wins. A reply that calls tools is not
        repeated once they have answered.
        """
        self._script.when(substring, reply)

    def clear(self) -> None:
        """Clear the script."""
        self._script.clear()

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._close()

    @contextlib.asynccontextmanager
    async def refusing(self) -> AsyncGenerator[None]:
        """Refuse connections for a while, those that are open included; the port stays."""
        await self._close()
        try:
            yield
        finally:
            await self._listen()

    async def _listen(self) -> None:
        app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[api_errors])
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._chat_completions)
        # Handlers end when their client leaves, so that a silent stream has an end.
        self._runner = web.AppRunner(
            app, handler_cancellation=True, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def _close(self) -> None:
        for transport in self._connections.copy():
            transport.abort()
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    async def _models(self, _http: web.Request) -> web.Response:
        model = {"id": MODEL_NAME, "object": "model", "created": _CREATED, "owned_by": "devserver"}
        return json_response(msgspec.json.encode({"object": "list", "data": [model]}))

    async def _chat_completions(self, http: web.Request) -> web.StreamResponse:
        raw = await http.read()
        if self._api_key and http.headers.get("authorization") != f"Bearer {self._api_key}":
            return error_response(401, "Incorrect API key provided.")
        try:
            chat = decode_request(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return error_response(400, f"The request body is not valid: {error}")
        if not chat.messages:
            return error_response(400, "Invalid 'messages': it is empty.")
        with self._recorded(http, raw, chat) as record:
            try:
                return await self._reply(http, record)
            except ConnectionResetError:  # the client left during a write
                return web.Response()

    @contextlib.contextmanager
    def _recorded(
        self, http: web.Request, raw: bytes, chat: ChatRequest
    ) -> Generator[RecordedRequest]:
        record = self.requests.add(http.headers.copy(), raw, chat)
        transport = http.transport
        if isinstance(transport, asyncio.Transport):
            self._connections.add(transport)
        try:
            yield record
        finally:
            self._connections.discard(transport)
            if record.outcome == "open":
                record.end("disconnected")

    async def _reply(self, http: web.Request, record: RecordedRequest) -> web.StreamResponse:
        reply = self._script.take(record.chat)
        if reply.is_default:
            words = answer(record.chat)
            reply = dataclasses.replace(reply, text=words.text, tool_calls=words.tool_calls)
        if reply.token_delay is None:
            reply = dataclasses.replace(reply, token_delay=self._token_delay)
        headers = {"x-request-id": f"req_demo_{record.number}"}
        streams = record.chat.stream
        if reply.fault is Fault.NO_RESPONSE or (reply.fault is Fault.SILENT and not streams):
            await forever()
        if reply.fault is Fault.DROPPED or (reply.fault and not streams):
            record.end("failed")
            hang_up(http)
            return web.Response()
        if reply.status != 200:
            record.end("failed")
            return error_response(
                reply.status, reply.message, headers=headers, retry_after=reply.retry_after
            )
        completion = _complete(record, reply)
        if streams:
            return await stream_completion(http, record, completion, reply, headers=headers)
        await asyncio.sleep(reply.first_token_delay)
        record.end("finished")
        return json_response(completion.body(), headers=headers)


def _complete(record: RecordedRequest, reply: Reply) -> Completion:
    chat = record.chat
    tokens = reply.content()
    limit = chat.token_limit
    cut_off = limit is not None and len(tokens) > limit
    tool_calls = tuple(
        ToolCall(id=call.id or f"call_demo_{record.number}_{index}", function=call.function)
        for index, call in enumerate(reply.tool_calls)
    )
    return Completion(
        id=f"chatcmpl-demo-{record.number}",
        model=chat.model,
        created=_CREATED,
        tokens=tokens[:limit] if cut_off else tokens,
        tool_calls=tool_calls,
        finish_reason=reply.finish_reason
        or ("length" if cut_off else "tool_calls" if tool_calls else "stop"),
        prompt_tokens=sum(len(split_tokens(message.text)) for message in chat.messages),
    )


async def serve(
    host: str = "127.0.0.1",
    port: int = 8080,
    *,
    token_delay: float = 0.02,
    on_ready: Callable[[DemoModel], None] | None = None,
) -> None:
    """Run a demo model until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    async with DemoModel(host, port, token_delay=token_delay) as model:
        if on_ready:
            on_ready(model)
        await stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m devserver.model", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    parser.add_argument("--port", type=int, default=8080, help="0 takes a free one")
    parser.add_argument("--token-delay", type=float, default=0.02, help="seconds between tokens")
    options = parser.parse_args()

    def announce(model: DemoModel) -> None:
        sys.stdout.write(f"demo model: OPENAI_BASE_URL={model.base_url}\n")
        sys.stdout.flush()

    asyncio.run(
        serve(options.host, options.port, token_delay=options.token_delay, on_ready=announce)
    )
