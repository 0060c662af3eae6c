"""The worker's LLM against the plugin's with the official client: same in, same out."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from livekit.agents import (
    APIConnectionError,
    APIConnectOptions,
    APIStatusError,
    APITimeoutError,
    llm,
)

from agent.models.llm import build_client, build_llm
from agent.models.openai_client import OpenAIClient
from agent.models.timeouts import Timeouts
from devserver.model import DemoModel, Fault, Reply, tool_call
from tests.agent.openai_clients import CLIENTS, KEY, ONCE, Outcome, opened, outcome_of

SCHEMA: dict[str, Any] = {
    "name": "getWeather",
    "description": "Get the weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}


async def _never_called(raw_arguments: dict[str, object]) -> str:
    raise AssertionError(raw_arguments)


def weather_tool() -> llm.Tool:
    return llm.function_tool(_never_called, raw_schema=SCHEMA)


async def both(
    *replies: Reply,
    text: str = "hello",
    tools: Sequence[llm.Tool] = (),
    requests: int = 1,
    name: str = "demo",
) -> tuple[Outcome, Outcome]:
    """The outcomes of the last of these requests, over the lean and over the official client."""
    outcomes: list[Outcome] = []
    bodies: list[list[dict[str, object]]] = []
    for kind in CLIENTS:
        async with (
            DemoModel(api_key=KEY) as server,
            opened(kind, server.base_url, name=name) as model,
        ):
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


@pytest.mark.parametrize("name", ["gpt-4.1", "gpt-5", "gpt-5.4", "gpt-5.6-sol", "o3"])
@pytest.mark.parametrize("tools", [[], [weather_tool()]], ids=["plain", "with a tool"])
async def test_each_model_is_asked_the_same(name: str, tools: list[llm.Tool]) -> None:
    lean, official = await both(Reply(text="fine"), name=name, tools=tools)

    assert lean.text == official.text == "fine"


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


async def test_it_names_the_same_provider_and_can_be_warmed_up() -> None:
    async with DemoModel(api_key=KEY) as server, opened("lean", server.base_url) as model:
        async with opened("official", server.base_url) as official:
            assert model.provider == official.provider
        model.prewarm()
        await outcome_of(model)


async def test_lists_models_or_says_why_not() -> None:
    async with DemoModel(api_key=KEY) as server:
        client = build_client(base_url=server.base_url, api_key=KEY)
        assert await client.models() == ["demo-model"]
        async with server.refusing():
            with pytest.raises(APIConnectionError):
                await client.models()
        await client.close()
        with pytest.raises(RuntimeError, match="closed"):
            await client.models()


async def test_options_are_in_the_request_and_no_key_where_none_is_needed() -> None:
    async with DemoModel() as server:
        client = build_client(base_url=server.base_url)
        model = build_llm(client, model="m", temperature=0.5, max_completion_tokens=7)
        assert (await outcome_of(model)).error is None
        await client.close()

    request = server.requests[0]
    fields = {"model", "messages", "temperature", "max_completion_tokens", "stream"}
    assert set(request.body) == {*fields, "stream_options"}
    assert "authorization" not in request.headers


@pytest.mark.parametrize(
    "reply",
    [
        Reply(text="Hello, world."),
        Reply(tool_calls=[tool_call("getWeather", '{"city": "Paris"}')]),
        Reply(status=503),
        Reply(text="one two three", fault=Fault.CUT, after=2),
    ],
    ids=["text", "tool", "status", "cut"],
)
async def test_by_the_frameworks_stream_it_is_the_same(reply: Reply) -> None:
    outcomes: list[Outcome] = []
    bodies: list[dict[str, object]] = []
    for framed in (True, False):
        async with DemoModel(api_key=KEY) as server, opened("lean", server.base_url) as model:
            server.script(reply)
            outcomes.append(await outcome_of(model, tools=[weather_tool()], framed=framed))
            bodies.append(server.requests[0].body)

    assert bodies[0] == bodies[1]
    assert outcomes[0].joined == outcomes[1].joined
    assert outcomes[0].described_error() == outcomes[1].described_error()


async def test_a_large_context_is_sent_whole() -> None:
    async with DemoModel() as server, opened("lean", server.base_url) as model:
        text = "long " * 300_000

        assert (await outcome_of(model, text)).error is None
        assert server.requests[0].chat.user_text == text


async def test_the_key_is_in_no_representation_and_no_error() -> None:
    async with DemoModel(api_key="another") as server:
        server_says_key = f"Incorrect API key provided: {KEY}"
        client = OpenAIClient(base_url=server.base_url, api_key=KEY)
        with pytest.raises(APIStatusError) as refused:
            await client.complete({"model": "m", "messages": []})
        await client.close()
    async with DemoModel() as server, opened("lean", server.base_url) as model:
        server.script(Reply(status=401, message=server_says_key))
        echoed = (await outcome_of(model)).error

    assert KEY not in repr(client)
    assert KEY not in repr(refused.value) + str(vars(refused.value))
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


async def test_closing_the_client_ends_answers_in_progress() -> None:
    async with DemoModel() as server:
        server.script(Reply(text="one two", pause=asyncio.Event(), after=1))
        client = build_client(base_url=server.base_url)
        async with asyncio.timeout(5):
            stream = await client.complete(
                {"model": "m", "messages": [{"role": "user", "content": "x"}]}
            )
            await client.close()
            with pytest.raises(APIConnectionError):
                async for _ in stream:
                    pass
