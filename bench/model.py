"""The model of the benchmark: OpenAI-compatible, and says what it is asked to, stamped.

`python -m bench.model` prints its address and serves until its standard input ends.
"""

from __future__ import annotations

import asyncio
import sys

from aiohttp import web

from bench import stamps
from bench.pipes import lines_of_stdin
from devserver.model.wire import ChatRequest, Completion, decode_request

MAX_BODY_BYTES = 16 * 2**20
WRITE_TOKENS = 100
"""Tokens in one write where they do not have to be paced."""


async def chat_completions(http: web.Request) -> web.StreamResponse:
    """POST /v1/chat/completions, streamed."""
    arrived = stamps.now()
    chat = decode_request(await http.read())
    tokens, delay = stamps.wanted(chat.user_text)
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(http)
    await response.write(_completion(chat, ()).opening())
    loop = asyncio.get_running_loop()
    begun, sent = loop.time(), 0
    while sent < tokens:
        due = int((loop.time() - begun) / delay) + 1 if delay else sent + WRITE_TOKENS
        made = [stamps.token(None if n else arrived) for n in range(sent, min(due, tokens))]
        await response.write(b"".join(_completion(chat, tuple(made)).content()))
        sent += len(made)
        if delay:
            await asyncio.sleep(begun + sent * delay - loop.time())
    usage = bool(chat.stream_options and chat.stream_options.include_usage)
    await response.write(_completion(chat, ()).closing(with_usage=usage))
    await response.write_eof()
    return response


def _completion(chat: ChatRequest, tokens: tuple[str, ...]) -> Completion:
    return Completion(
        id="chatcmpl-bench",
        model=chat.model,
        created=1_700_000_000,
        tokens=tokens,
        tool_calls=(),
        finish_reason="stop",
        prompt_tokens=0,
    )


async def main() -> None:
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app.router.add_post("/v1/chat/completions", chat_completions)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"http://127.0.0.1:{runner.addresses[0][1]}/v1\n")
    sys.stdout.flush()
    async for _ in lines_of_stdin():
        pass
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
