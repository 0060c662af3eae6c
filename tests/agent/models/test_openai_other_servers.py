"""The lean client and servers that write things in their own way, or nothing sensible at all."""

import asyncio
import traceback
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from livekit.agents import (
    APIConnectionError,
    APIStatusError,
)

from agent.models.llm import build_client, build_llm
from agent.models.timeouts import Timeouts
from tests.agent.openai_clients import Outcome, opened, outcome_of

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


def calls_of(*deltas: str) -> bytes:
    """Events with a delta of tool calls each, and the end."""
    choices = [f'{{"delta":{{"tool_calls":[{each}]}}}}' for each in deltas]
    choices.append('{"delta":{},"finish_reason":"tool_calls"}')
    events = (f'data: {{"id":"c","choices":[{each}]}}\n\n' for each in choices)
    return "".join(events).encode() + b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    "deltas",
    [
        (
            '{"index":0,"id":"1","function":{"name":"a","arguments":""}}',
            '{"index":0,"function":{"arguments":"{}"}}',
            '{"index":1,"id":"2","function":{"name":"b","arguments":"{}"}}',
        ),
        (
            '{"index":0,"id":"1","function":{"name":"a","arguments":"{}"}},'
            '{"index":0,"id":"2","function":{"name":"b","arguments":"{}"}}',
        ),
        (
            '{"index":0,"id":"1","function":{"name":"a","arguments":"{"}}',
            '{"index":0,"id":"1","function":{"name":"a","arguments":"}"}}',
            '{"index":1,"id":"2","function":{"name":"b","arguments":"{}"}}',
        ),
        (
            '{"function":{"name":"a","arguments":"{}"}}',
            '{"function":{"name":"b","arguments":"{}"}}',
        ),
    ],
    ids=["in pieces", "one index for all", "name in each piece", "no ids"],
)
async def test_tool_calls_as_other_servers_write_them(deltas: tuple[str, ...]) -> None:
    (outcome,), _ = await texts_of(lambda _: http(calls_of(*deltas)))

    assert outcome.error is None
    assert [(call["name"], call["arguments"]) for call in outcome.tool_calls] == [
        ("a", "{}"),
        ("b", "{}"),
    ]
    assert len({call["call_id"] for call in outcome.tool_calls} - {""}) == 2


async def test_text_in_parts() -> None:
    parts = '[{"type":"text","text":"Bon"},{"type":"text","text":"jour"}]'
    delta = f'data: {{"id":"c","choices":[{{"delta":{{"content":{parts}}}}}]}}\n\n'

    (outcome,), _ = await texts_of(lambda _: http(delta.encode() + event(".", '"stop"')))

    assert outcome.text == "Bonjour."


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
async def test_a_malformed_answer_is_an_error(body: bytes, expected: str) -> None:
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


async def test_a_refusing_proxys_password_is_not_shown() -> None:
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
