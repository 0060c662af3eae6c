"""The lean client against the official one, behind livekit-plugins-openai: same in, same out."""

import asyncio
import traceback
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import openai
import pytest
from livekit.agents import (
    APIConnectionError,
    APIConnectOptions,
    APIError,
    APIStatusError,
    APITimeoutError,
    llm,
)
from livekit.plugins import openai as plugin

from agent.models.llm import build_client, build_llm
from agent.models.openai_client import OpenAIClient
from agent.models.timeouts import Timeouts
from devserver.model import DemoModel, Fault, Reply, tool_call

KEY = "sk-secret-of-the-test"
ONCE = APIConnectOptions(max_retry=0, timeout=5)
CLIENTS = ("lean", "official")

SCHEMA: dict[str, Any] = {
    "name": "getWeather",
    "description": "Get the weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}


async def _never_called(raw_arguments: dict[str, object]) -> str:
    raise AssertionError(raw_arguments)


def weather_tool() -> llm.Tool:
    return llm.function_tool(_never_called, raw_schema=SCHEMA)


@dataclass
class Outcome:
    """All that came of one request: the plugin's chunks, and the error that ended it."""

    chunks: list[dict[str, object]]
    error: APIError | None

    @property
    def text(self) -> str:
        deltas: list[Any] = [chunk["delta"] for chunk in self.chunks if chunk["delta"]]
        return "".join(delta["content"] or "" for delta in deltas)

    @property
    def tool_calls(self) -> list[Any]:
        deltas: list[Any] = [chunk["delta"] for chunk in self.chunks if chunk["delta"]]
        return [call for delta in deltas for call in delta["tool_calls"]]

    @property
    def joined(self) -> list[dict[str, Any]]:
        """The chunks, with text that follows on text in one: how it is cut may differ."""
        joined: list[dict[str, Any]] = []
        for chunk in self.chunks:
            if joined and _is_text(joined[-1]) and _is_text(chunk):
                text: Any = chunk["delta"]
                joined[-1]["delta"]["content"] += text["content"]
            else:
                joined.append(deepcopy(chunk))
        return joined

    def described_error(self) -> tuple[object, ...] | None:
        """What of the error someone can tell apart."""
        match self.error:
            case None:
                return None
            case APIStatusError() as error:
                kind = (error.status_code, error.request_id, error.body)
                return (type(error), error.message, error.retryable, *kind)
            case error:
                return (type(error), error.message, error.retryable)


def _is_text(chunk: dict[str, Any]) -> bool:
    delta = chunk["delta"]
    return bool(delta and delta["content"] and not delta["tool_calls"] and not chunk["usage"])


@asynccontextmanager
async def opened(
    kind: str, base_url: str, *, timeouts: Timeouts | None = None
) -> AsyncGenerator[llm.LLM[Any]]:
    model: llm.LLM[Any]
    if kind == "official":
        official = openai.AsyncOpenAI(base_url=base_url, api_key=KEY, max_retries=0)
        model = plugin.LLM(model="demo", client=official)
        async with official, model:
            yield model
    else:
        client = build_client(base_url=base_url, api_key=KEY, timeouts=timeouts)
        try:
            model = build_llm(client, model="demo")
            async with model:
                yield model
        finally:
            await client.close()


async def outcome_of(
    model: llm.LLM[Any],
    text: str = "hello",
    *,
    tools: Sequence[llm.Tool] = (),
    options: APIConnectOptions = ONCE,
) -> Outcome:
    context = llm.ChatContext.empty()
    context.add_message(role="system", content="Be brief.")
    context.add_message(role="user", content=text)
    chunks: list[dict[str, object]] = []
    error: APIError | None = None
    async with asyncio.timeout(10):
        stream = model.chat(chat_ctx=context, tools=list(tools), conn_options=options)
        try:
            async with stream:
                async for chunk in stream:
                    chunks.append(chunk.model_dump())  # kept if it fails halfway
        except APIError as failure:
            error = failure
    return Outcome(chunks, error)


async def both(
    *replies: Reply, text: str = "hello", tools: Sequence[llm.Tool] = (), requests: int = 1
) -> tuple[Outcome, Outcome]:
    """The outcomes of the last of these requests, over the lean and over the official client."""
    outcomes: list[Outcome] = []
    bodies: list[list[dict[str, object]]] = []
    for kind in CLIENTS:
        async with DemoModel(api_key=KEY) as server, opened(kind, server.base_url) as model:
            server.script(*replies)
            made = [await outcome_of(model, text, tools=tools) for _ in range(requests)]
            outcomes.append(made[-1])
            bodies.append([request.body for request in server.requests])
    assert bodies[0] == bodies[1]
    return outcomes[0], outcomes[1]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(text="Hello, world. How are you?"),
        Reply(text="paced, one by one", token_delay=0.001),
        Reply(tokens=["a", "", " é", "\n", "🦉", '"\\']),
        Reply(tokens=[]),
        Reply(tokens=["x "] * 3_000),
        Reply(text="<think>hidden</think>shown"),
        Reply(text="cut", finish_reason="length"),
        Reply(text="filtered", finish_reason="content_filter"),
    ],
    ids=["text", "paced", "odd tokens", "empty", "burst", "thinking", "length", "filter"],
)
async def test_text_and_usage_are_the_same(reply: Reply) -> None:
    lean, official = await both(reply)

    assert lean.joined == official.joined
    assert lean.error is official.error is None
    assert lean.chunks[-1]["usage"]


async def test_text_that_arrives_together_is_one_chunk() -> None:
    lean, official = await both(Reply(tokens=["x "] * 3_000))

    assert lean.text == official.text == "x " * 3_000
    assert len(lean.chunks) < len(official.chunks) / 10


@pytest.mark.parametrize(
    "calls",
    [
        [tool_call("getWeather", '{"city": "Paris", "units": "metric"}')],
        [tool_call("getWeather", '{"city": "Paris"}'), tool_call("getWeather", "{}")],
        [tool_call("getWeather", "")],
        [tool_call("getWeather", "not JSON at all")],
    ],
    ids=["one", "two", "no arguments", "bad arguments"],
)
async def test_tool_calls_are_the_same(calls: list[Any]) -> None:
    lean, official = await both(Reply(tool_calls=calls), tools=[weather_tool()])

    assert lean.joined == official.joined
    assert [call["arguments"] for call in lean.tool_calls] == [c.function.arguments for c in calls]


async def test_text_before_tool_calls_is_the_same() -> None:
    reply = Reply(text="One moment.", tool_calls=[tool_call("getWeather", '{"city": "Paris"}')])

    lean, official = await both(reply, tools=[weather_tool()])

    assert lean.joined == official.joined
    assert lean.text == "One moment."
    assert len(lean.tool_calls) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 418, 422, 429, 500, 503])
async def test_statuses_are_the_same(status: int) -> None:
    lean, official = await both(Reply(status=status, message="it went wrong", retry_after=1))

    assert isinstance(lean.error, APIStatusError)
    assert "it went wrong" in lean.error.message
    assert lean.described_error() == official.described_error()
    assert lean.error.retryable is (status == 429 or status >= 500)


@pytest.mark.parametrize("after", [0, 2], ids=["at once", "halfway"])
@pytest.mark.parametrize("fault", [Fault.DROPPED, Fault.CUT, Fault.MALFORMED, Fault.ERROR_EVENT])
async def test_broken_streams_are_the_same(fault: Fault, after: int) -> None:
    lean, official = await both(Reply(text="one two three", fault=fault, after=after))

    assert lean.joined == official.joined
    assert lean.described_error() == official.described_error()
    assert lean.error
    assert lean.error.retryable is (not lean.text)


async def test_a_failure_is_forgotten_with_the_next_request() -> None:
    lean, official = await both(
        Reply(fault=Fault.CUT, text="x"), Reply(status=500), Reply(text="fine"), requests=3
    )

    assert lean.joined == official.joined
    assert lean.text == "fine"


@pytest.mark.parametrize("fault", [Fault.NO_RESPONSE, Fault.SILENT])
@pytest.mark.parametrize("kind", CLIENTS)
async def test_silence_times_out(fault: Fault, kind: str) -> None:
    async with DemoModel() as server, opened(kind, server.base_url) as model:
        server.script(Reply(fault=fault))
        short = APIConnectOptions(max_retry=0, timeout=0.3)

        outcome = await outcome_of(model, options=short)

        assert isinstance(outcome.error, APITimeoutError)
        assert outcome.error.retryable
        await server.requests[0].ended.wait()
        assert server.requests[0].outcome == "disconnected"


@pytest.mark.parametrize("kind", CLIENTS)
async def test_a_refused_connection_is_a_connection_error(kind: str) -> None:
    async with DemoModel() as server, opened(kind, server.base_url) as model:
        async with server.refusing():
            outcome = await outcome_of(model)
        assert isinstance(outcome.error, APIConnectionError)
        assert not isinstance(outcome.error, APITimeoutError)
        assert outcome.error.retryable

        assert (await outcome_of(model)).error is None


async def test_a_stream_that_ends_in_the_middle_is_an_error() -> None:
    lean, official = await both(Reply(text="one two three", fault=Fault.ENDED_EARLY, after=2))

    assert official.error is None, "the official client takes it for a whole answer"
    assert isinstance(lean.error, APIConnectionError)
    assert "ended before the answer did" in str(lean.error)
    assert lean.text == official.text == "one two"
    assert not lean.error.retryable


@pytest.mark.parametrize(
    ("timeouts", "reply"),
    [
        (Timeouts(first_byte=0.3), Reply(fault=Fault.NO_RESPONSE)),
        (Timeouts(silence=0.3), Reply(fault=Fault.SILENT)),
        (Timeouts(silence=0.3), Reply(text="one two", fault=Fault.SILENT, after=1)),
        (Timeouts(total=0.3), Reply(tokens=["x"] * 10_000, token_delay=0.01)),
    ],
    ids=["first byte", "first token", "between tokens", "total"],
)
async def test_each_phase_has_a_timeout_of_its_own(timeouts: Timeouts, reply: Reply) -> None:
    async with (
        DemoModel() as server,
        opened("lean", server.base_url, timeouts=timeouts) as model,
    ):
        server.script(reply)

        assert isinstance((await outcome_of(model)).error, APITimeoutError)

        await server.requests[0].ended.wait()
        assert server.requests[0].outcome == "disconnected"


async def test_cancelling_closes_the_connection() -> None:
    async with DemoModel() as server, opened("lean", server.base_url) as model:
        server.script(Reply(text="one two", pause=asyncio.Event(), after=1))
        context = llm.ChatContext.empty()
        context.add_message(role="user", content="go")
        stream = model.chat(chat_ctx=context, conn_options=ONCE)
        async with asyncio.timeout(5):
            first = await anext(stream)
            await stream.aclose()
            await server.requests[0].ended.wait()

    assert first.delta
    assert first.delta.content == "one"
    assert server.requests[0].outcome == "disconnected"


async def test_the_plugin_finds_what_it_reads_of_the_client() -> None:
    async with DemoModel(api_key=KEY) as server, opened("lean", server.base_url) as model:
        async with opened("official", server.base_url) as official:
            assert model.provider == official.provider
        model.prewarm()
        await outcome_of(model)


async def test_lists_models_or_says_why_not() -> None:
    async with DemoModel(api_key=KEY) as server:
        client = build_client(base_url=server.base_url, api_key=KEY)
        assert await client.models.list() == ["demo-model"]
        async with server.refusing():
            with pytest.raises(openai.APIConnectionError):
                await client.models.list()
        await client.close()
        with pytest.raises(RuntimeError, match="closed"):
            await client.models.list()


async def test_omitted_arguments_are_left_out_and_extras_added() -> None:
    async with DemoModel() as server:
        client = build_client(base_url=server.base_url)
        stream = await client.chat.completions.create(
            model="m",
            messages=[{"role": "user", "content": "x"}],
            tools=openai.omit,
            temperature=openai.NOT_GIVEN,
            top_p=None,
            extra_headers={"x-one": "1", "x-none": openai.omit},
            extra_query={"version": 2},
            extra_body={"seed": 7},
        )
        async with stream:
            assert [chunk async for chunk in stream]
        await client.close()

    request = server.requests[0]
    assert set(request.body) == {"model", "messages", "top_p", "seed", "stream"}
    assert request.headers["x-one"] == "1"
    assert "x-none" not in request.headers
    assert "authorization" not in request.headers


async def test_a_large_context_is_sent_whole() -> None:
    async with DemoModel() as server, opened("lean", server.base_url) as model:
        text = "long " * 300_000

        assert (await outcome_of(model, text)).error is None
        assert server.requests[0].chat.user_text == text


async def test_the_key_is_in_no_representation_and_no_error() -> None:
    async with DemoModel(api_key="another") as server:
        server_says_key = f"Incorrect API key provided: {KEY}"
        client = OpenAIClient(base_url=server.base_url, api_key=KEY)
        with pytest.raises(openai.AuthenticationError) as refused:
            await client.chat.completions.create(model="m", messages=[])
        await client.close()
    async with DemoModel() as server, opened("lean", server.base_url) as model:
        server.script(Reply(status=401, message=server_says_key))
        echoed = (await outcome_of(model)).error

    assert KEY not in repr(client)
    assert KEY not in repr(refused.value) + str(vars(refused.value.request))
    assert isinstance(echoed, APIStatusError)
    assert "Incorrect API key provided: ***" in echoed.message
    assert KEY not in repr(echoed)


@pytest.mark.parametrize(
    "url", ["", "localhost:1/v1", "ftp://host/v1", "http://", "http://me:pw@host/v1"]
)
def test_a_base_url_that_cannot_work_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="base URL of the model service"):
        OpenAIClient(base_url=url)


def test_timeouts_are_positive() -> None:
    with pytest.raises(ValueError, match="positive"):
        Timeouts(silence=0)


Answer = Callable[[int], list[bytes]]


@dataclass
class RawServer:
    """A server that answers each request with scripted bytes, and counts its connections."""

    base_url: str = ""
    connections: int = 0
    requests: int = 0


@asynccontextmanager
async def raw_server(answer: Answer) -> AsyncGenerator[RawServer]:
    counted = RawServer()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        counted.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
                await reader.readexactly(int(length or 0))
                counted.requests += 1
                for piece in answer(counted.requests):
                    writer.write(piece)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    counted.base_url = f"http://{host}:{port}/v1"
    async with server:
        yield counted


def http(body: bytes, *, status: str = "200 OK", kind: str = "text/event-stream") -> list[bytes]:
    """A whole answer, cut into pieces that split lines and characters."""
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    return [head.encode(), *(body[start : start + 5] for start in range(0, len(body), 5))]


def event(content: str, finish_reason: str = "null") -> bytes:
    choice = f'{{"index":0,"delta":{{"content":"{content}"}},"finish_reason":{finish_reason}}}'
    return f'data: {{"id":"c","choices":[{choice}]}}\n\n'.encode()


async def texts_of(answer: Answer, *, requests: int = 1) -> tuple[list[Outcome], RawServer]:
    async with raw_server(answer) as server, opened("lean", server.base_url) as model:
        outcomes = [await outcome_of(model) for _ in range(requests)]
    return outcomes, server


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
async def test_streams_as_other_servers_write_them(line_end: bytes) -> None:
    body = (
        b": OPENROUTER PROCESSING\n\ndata:\n\n"
        + event("héllo ")
        + b'event: completion\ndata: {"id":"c",\ndata: "choices":[]}\n\n'
        + event("🦉", '"stop"')
        + b"data: [DONE]\n\n"
    ).replace(b"\n", line_end)

    (outcome,), _ = await texts_of(lambda _: http(body))

    assert outcome.text == "héllo 🦉"
    assert outcome.error is None


async def test_no_done_and_no_usage_are_forgiven() -> None:
    (outcome,), _ = await texts_of(lambda _: http(event("a") + event("b", '"stop"').rstrip()))

    assert outcome.text == "ab"
    assert outcome.error is None
    assert all(chunk["usage"] is None for chunk in outcome.chunks)


async def test_done_without_a_finish_reason_is_forgiven() -> None:
    (outcome,), _ = await texts_of(lambda _: http(event("a") + b"data: [DONE]\n\n"))

    assert (outcome.text, outcome.error) == ("a", None)


async def test_connections_are_kept_and_used_again() -> None:
    body = event("a", '"stop"') + b"data: [DONE]\n\n"

    outcomes, server = await texts_of(lambda _: http(body), requests=5)

    assert [outcome.text for outcome in outcomes] == ["a"] * 5
    assert (server.requests, server.connections) == (5, 1)


async def test_a_server_without_stream_options_is_asked_without() -> None:
    refusal = b'{"error": {"message": "Unknown field: stream_options", "code": 400}}'
    body = event("a", '"stop"') + b"data: [DONE]\n\n"

    def answer(request: int) -> list[bytes]:
        if request == 1:
            return http(refusal, status="400 Bad Request", kind="application/json")
        return http(body)

    outcomes, server = await texts_of(answer, requests=2)

    assert [outcome.text for outcome in outcomes] == ["a", "a"]
    assert server.requests == 3, "it is refused once and not tried again"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"data: " + b"x" * (2**20 + 1), "malformed"),
        (event("a") + b"data: {}{}\n\n", "malformed"),
        (b'data: {"choices": 5}\n\n', "malformed"),
        (b'data: "\xff"\n\n', "malformed"),
        (b"<html>Welcome to the wifi</html>", "ended before"),
        (b"", "ended before"),
    ],
    ids=["too large", "not JSON", "wrong type", "not UTF-8", "not a stream", "empty"],
)
async def test_what_is_no_answer_is_an_error(body: bytes, expected: str) -> None:
    def answer(_: int) -> list[bytes]:
        head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n\r\n"
        return [head.encode(), body]

    (outcome,), _ = await texts_of(answer)

    assert isinstance(outcome.error, APIConnectionError)
    assert expected in str(outcome.error.__cause__)


@pytest.mark.parametrize(
    ("body", "message", "data"),
    [
        (b'{"error": "no such model"}', "Error code: 502", "no such model"),
        (b'{"detail": "Bad Gateway"}', "Error code: 502", "{'detail': 'Bad Gateway'}"),
        (b"<html>" + b"x" * 200_000, "Error code: 502", "<html>" + "x" * 494 + "…"),
        (b"", "Error code: 502", ""),
        (b"\xff\xfe", "Error code: 502", "��"),
        (b'{"error": {"message": ["odd"]}}', "Error code: 502", "{'message': ['odd']}"),
    ],
    ids=["text", "other JSON", "huge", "empty", "not UTF-8", "odd"],
)
async def test_error_bodies_of_any_kind_are_kept_short(
    body: bytes, message: str, data: object
) -> None:
    (outcome,), _ = await texts_of(
        lambda _: [
            f"HTTP/1.1 502 Bad Gateway\r\ncontent-length: {len(body)}\r\n\r\n".encode(),
            body,
        ]
    )

    assert isinstance(outcome.error, APIStatusError)
    assert (outcome.error.message, outcome.error.body) == (message, data)


async def test_an_error_whose_body_never_comes_is_still_an_error() -> None:
    pieces = [b"HTTP/1.1 500 Oops\r\ncontent-length: 100\r\n\r\n", b"half"]
    async with (
        raw_server(lambda _: pieces) as server,
        opened("lean", server.base_url, timeouts=Timeouts(silence=0.3)) as model,
    ):
        outcome = await outcome_of(model)

    assert isinstance(outcome.error, APIStatusError)
    assert (outcome.error.status_code, outcome.error.body) == (500, "half")


async def test_a_proxy_is_asked_where_one_is_given() -> None:
    body = event("a", '"stop"') + b"data: [DONE]\n\n"
    async with raw_server(lambda _: http(body)) as proxy:
        client = build_client(base_url="http://model.test/v1", proxy=proxy.base_url)
        outcome = await outcome_of(build_llm(client, model="demo"))
        await client.close()

    assert (outcome.text, proxy.requests) == ("a", 1)


async def test_a_proxy_that_refuses_does_not_have_its_password_told() -> None:
    def refusal(_: int) -> list[bytes]:
        return [b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"]

    async with raw_server(refusal) as proxy:
        url = proxy.base_url.replace("http://", "http://user:pa55word@")
        client = build_client(base_url="https://model.test/v1", proxy=url)
        outcome = await outcome_of(build_llm(client, model="demo"))
        await client.close()

    assert proxy.requests == 1
    assert isinstance(outcome.error, APIConnectionError)
    assert "The proxy refused" in str(outcome.error)
    told = "".join(traceback.format_exception(outcome.error))
    assert "pa55word" not in told


async def test_closing_the_client_ends_answers_in_progress() -> None:
    async with DemoModel() as server:
        server.script(Reply(text="one two", pause=asyncio.Event(), after=1))
        client = build_client(base_url=server.base_url)
        async with asyncio.timeout(5):
            stream = await client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "x"}]
            )
            await client.close()
            with pytest.raises(openai.APIConnectionError):
                async for _ in stream:
                    pass
