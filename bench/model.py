"""The model of the benchmark: OpenAI-compatible; it answers with the requested text, stamped.

`python -m bench.model` prints its address and serves until its standard input ends.
"""

from __future__ import annotations

import asyncio
import sys

from aiohttp import web

from bench import stamps
from bench.pipes import lines_of_stdin
from bench.stamps import Way
from devserver.model.wire import (
    ChatRequest,
    Completion,
    FunctionCall,
    ToolCall,
    decode_request,
)

MAX_BODY_BYTES = 16 * 2**20
WRITE_TOKENS = 100
"""Tokens in one write where they do not have to be paced."""


CALL = ToolCall("call_bench", FunctionCall("getCurrentTime", "{}"))
MAX_FAILED = 1_000
FAILED = web.AppKey("failed", dict[str, None])
"""Questions that have failed once."""


async def chat_completions(http: web.Request) -> web.StreamResponse:
    """POST /v1/chat/completions, streamed."""
    arrived = stamps.now()
    chat = decode_request(await http.read())
    way = stamps.way_of(chat.user_text)
    if way is Way.RETRY and not _has_failed(http.app[FAILED], chat.user_text):
        return web.json_response({"error": {"message": "try again"}}, status=503)
    tokens, delay = stamps.wanted(chat.user_text)
    calls = (CALL,) if way is Way.TOOL and not chat.tool_results else ()
    tokens = 0 if calls else tokens // 2 if way is Way.BREAK else tokens
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
    if way is Way.BREAK and http.transport is not None:
        http.transport.close()
        return response
    if calls:
        completion = _completion(chat, (), calls)
        await response.write(b"".join(completion.content()))
        await response.write(completion.closing(with_usage=False))
        await response.write_eof()
        return response
    usage = bool(chat.stream_options and chat.stream_options.include_usage)
    await response.write(_completion(chat, ()).closing(with_usage=usage))
    await response.write_eof()
    return response


def _has_failed(failed: dict[str, None], text: str) -> bool:
    """Whether a question has failed before; from now on it has."""
    if text in failed:
        return True
    failed[text] = None
    if len(failed) > MAX_FAILED:
        del failed[next(iter(failed))]
    return False


def _completion(
    chat: ChatRequest, tokens: tuple[str, ...], calls: tuple[ToolCall, ...] = ()
) -> Completion:
    return Completion(
        id="chatcmpl-bench",
        model=chat.model,
        created=1_700_000_000,
        tokens=tokens,
        tool_calls=calls,
        finish_reason="tool_calls" if calls else "stop",
        prompt_tokens=0,
    )


async def main() -> None:
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app[FAILED] = {}
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
