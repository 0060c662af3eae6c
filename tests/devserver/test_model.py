"""The demo model, seen through the official client and through the plugin that the worker uses."""

import asyncio
import io
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import openai
import pytest
from livekit.agents import APIConnectOptions, function_tool, llm
from livekit.plugins import openai as openai_plugin
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam

from devserver.model import DemoModel, Fault, Reply, tool_call

WEATHER_TOOL: Any = {
    "type": "function",
    "function": {"name": "getWeather", "parameters": {"type": "object", "properties": {}}},
}
TIME_TOOL: Any = {
    "type": "function",
    "function": {"name": "getCurrentTime", "parameters": {"type": "object", "properties": {}}},
}


@pytest.fixture
async def model() -> AsyncIterator[DemoModel]:
    async with DemoModel() as model, asyncio.timeout(10):
        yield model


@pytest.fixture
async def client(model: DemoModel) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=model.base_url, api_key="any", max_retries=0) as client:
        yield client


def user(text: str) -> list[ChatCompletionMessageParam]:
    return [{"role": "user", "content": text}]


async def chunks_of(
    client: openai.AsyncOpenAI,
    messages: list[ChatCompletionMessageParam],
    **options: Any,  # noqa: ANN401 # whatever create() takes
) -> list[ChatCompletionChunk]:
    stream = await client.chat.completions.create(
        model="demo-model",
        messages=messages,
        stream=True,
        stream_options={"include_usage": True},
        **options,
    )
    return [chunk async for chunk in stream]


def text_of(chunks: list[ChatCompletionChunk]) -> str:
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


async def ask(
    client: openai.AsyncOpenAI,
    text: str,
    **options: Any,  # noqa: ANN401 # whatever create() takes
) -> str:
    return text_of(await chunks_of(client, user(text), **options))


def after_tool(question: str, name: str, output: str) -> list[ChatCompletionMessageParam]:
    """A conversation in which a tool was called for the question, and answered."""
    return [
        {"role": "user", "content": question},
        {
            "role": "assistant",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": name, "arguments": "{}"}}
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": output},
    ]


async def test_says_that_it_is_the_demo_model(client: openai.AsyncOpenAI) -> None:
    chunks = await chunks_of(client, user("hello there"))

    assert "I am the demo model" in text_of(chunks)
    assert '"hello there"' in text_of(chunks)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"


async def test_answers_the_same_to_the_same(client: openai.AsyncOpenAI) -> None:
    assert await ask(client, "hello") == await ask(client, "hello")


async def test_lists_its_model(client: openai.AsyncOpenAI) -> None:
    assert [model.id async for model in client.models.list()] == ["demo-model"]


async def test_answers_whole_where_no_stream_is_asked_for(client: openai.AsyncOpenAI) -> None:
    completion = await client.chat.completions.create(
        model="demo-model", messages=user("count to 3")
    )

    assert completion.choices[0].message.content == "1 2 3"
    assert completion.usage
    assert completion.usage.completion_tokens == 3


async def test_usage_counts_the_tokens_of_both_sides(client: openai.AsyncOpenAI) -> None:
    chunks = await chunks_of(client, user("please count to 5"))

    assert not chunks[-1].choices
    usage = chunks[-1].usage
    assert usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (4, 5, 9)


async def test_no_usage_unless_asked_for(model: DemoModel, client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(model="m", messages=user("hi"), stream=True)

    assert all(chunk.usage is None and chunk.choices for chunk in [c async for c in stream])


@pytest.mark.parametrize(
    ("question", "arguments"),
    [
        ("What is the weather in Paris?", [{"city": "Paris"}]),
        ("weather for new york today please", [{"city": "new york"}]),
        ("Tell me for today: the weather in Paris right now, please.", [{"city": "Paris"}]),
        ("ada: what's the weather like in Rio for me this week", [{"city": "Rio"}]),
        ("the forecast in Paris and New York", [{"city": "Paris"}, {"city": "New York"}]),
        ("Wie ist das weather in São Paulo", [{"city": "São Paulo"}]),
    ],
)
async def test_calls_the_weather_tool(
    client: openai.AsyncOpenAI, question: str, arguments: list[dict[str, str]]
) -> None:
    chunks = await chunks_of(client, user(question), tools=[WEATHER_TOOL, TIME_TOOL])

    calls: dict[int, str] = {}
    names: dict[int, str] = {}
    for chunk in chunks:
        for choice in chunk.choices:
            for call in choice.delta.tool_calls or []:
                assert call.function
                names.setdefault(call.index, call.function.name or "")
                calls[call.index] = calls.get(call.index, "") + (call.function.arguments or "")
    assert [json.loads(text) for text in calls.values()] == arguments
    assert set(names.values()) == {"getWeather"}
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "tool_calls"


@pytest.mark.parametrize(
    ("question", "arguments"),
    [
        ("what time is it?", {}),
        ("What time is it in Tokyo?", {"timezone": "Asia/Tokyo"}),
        ("time in UTC", {"timezone": "UTC"}),
        ("the time in new york please", {"timezone": "America/New_York"}),
        ("what is the current time, Europe/Paris?", {"timezone": "Europe/Paris"}),
    ],
)
async def test_calls_the_time_tool(
    client: openai.AsyncOpenAI, question: str, arguments: dict[str, str]
) -> None:
    completion = await client.chat.completions.create(
        model="m", messages=user(question), tools=[WEATHER_TOOL, TIME_TOOL]
    )

    calls: Any = completion.choices[0].message.tool_calls
    assert [(c.function.name, json.loads(c.function.arguments)) for c in calls] == [
        ("getCurrentTime", arguments)
    ]


async def test_asks_for_the_city_where_none_is_named(client: openai.AsyncOpenAI) -> None:
    assert "which city?" in await ask(client, "How is the weather?", tools=[WEATHER_TOOL])


async def test_calls_no_tool_that_it_may_not_call(client: openai.AsyncOpenAI) -> None:
    question = "What is the weather in Paris?"

    assert "no tool" in await ask(client, question)
    assert "no tool" in await ask(client, question, tools=[TIME_TOOL])
    assert "no tool" in await ask(client, question, tools=[WEATHER_TOOL], tool_choice="none")


async def test_calls_any_tool_that_it_is_told_to(client: openai.AsyncOpenAI) -> None:
    tool: Any = {"type": "function", "function": {"name": "riskyOperation", "parameters": {}}}
    completion = await client.chat.completions.create(
        model="m",
        messages=user('call riskyOperation {"fail": true}'),
        tools=[tool],
    )

    calls: Any = completion.choices[0].message.tool_calls
    assert calls[0].function.name == "riskyOperation"
    assert calls[0].function.arguments == '{"fail": true}'


@pytest.mark.parametrize(
    ("tool", "output", "expected"),
    [
        (
            "getWeather",
            '{"city": "Paris", "temperature": 18.5, "temperatureUnit": "°C", "condition": "Rain"}',
            "18.5 °C in Paris, rain",
        ),
        ("getWeather", "Weather service unreachable", "failed: Weather service unreachable"),
        ("getCurrentTime", "2026-01-02T03:04:05+00:00", "says: 2026-01-02T03:04:05+00:00"),
        ("getCurrentTime", "no such time zone", "failed: no such time zone"),
        ("ping", '{"pong": 5}', 'says: {"pong": 5}'),
        ("ping", '{"error": "gone"}', "failed"),
    ],
)
async def test_reports_what_the_tool_answered(
    client: openai.AsyncOpenAI, tool: str, output: str, expected: str
) -> None:
    chunks = await chunks_of(client, after_tool("the weather in Paris?", tool, output))

    assert expected in text_of(chunks)


async def test_quotes_the_conversation(client: openai.AsyncOpenAI) -> None:
    messages: list[ChatCompletionMessageParam] = [
        {"role": "system", "content": "a secret instruction"},
        {"role": "user", "name": "ada", "content": "my cat is called Byte"},
        {"role": "assistant", "content": "A fine name."},
        {"role": "user", "content": [{"type": "text", "text": "What did I say?"}]},
    ]

    answer = text_of(await chunks_of(client, messages))

    assert 'ada: "my cat is called Byte"' in answer
    assert 'assistant: "A fine name."' in answer
    assert "secret" not in answer


async def test_scripted_tokens_arrive_one_by_one_and_exactly(
    model: DemoModel, client: openai.AsyncOpenAI
) -> None:
    tokens = ["a", " b", "", "\n", "é", '"', "🦉"]
    model.script(Reply(tokens=tokens, token_delay=0.001, finish_reason="length"))

    chunks = await chunks_of(client, user("x"))

    contents = [c.choices[0].delta.content for c in chunks if c.choices]
    assert contents == ["", *tokens, None]
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "length"


async def test_a_burst_arrives_whole(model: DemoModel, client: openai.AsyncOpenAI) -> None:
    model.script(Reply(tokens=["x "] * 5_000))

    assert await ask(client, "go") == "x " * 5_000


async def test_the_token_limit_cuts_an_answer(client: openai.AsyncOpenAI) -> None:
    chunks = await chunks_of(client, user("count to 9"), max_completion_tokens=4)

    assert text_of(chunks) == "1 2 3 4"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "length"


async def test_rules_come_before_the_queue(model: DemoModel, client: openai.AsyncOpenAI) -> None:
    model.when("owl", lambda request: Reply(text=request.user_text.upper()))
    model.script(Reply(text="first"), Reply(text="second"))

    answers = [await ask(client, text) for text in ("a", "an owl", "b", "c")]

    assert answers[:3] == ["first", "AN OWL", "second"]
    assert "demo model" in answers[3]
    model.clear()
    assert "demo model" in await ask(client, "an owl")


async def test_a_rule_with_tool_calls_ends_when_they_answered(
    model: DemoModel, client: openai.AsyncOpenAI
) -> None:
    model.when("weather", Reply(tool_calls=[tool_call("getWeather", '{"city": 5}')]))

    first = await chunks_of(client, user("weather"))
    second = await chunks_of(client, after_tool("weather", "getWeather", "400: city"))

    assert [c.choices[0].finish_reason for c in first if c.choices][-1] == "tool_calls"
    assert "failed: 400: city" in text_of(second)


async def test_a_pause_holds_the_answer_until_it_is_let_go(
    model: DemoModel, client: openai.AsyncOpenAI
) -> None:
    pause = asyncio.Event()
    model.script(Reply(text="one two three", pause=pause, after=2))
    stream = await client.chat.completions.create(model="m", messages=user("x"), stream=True)
    received = ""

    async for chunk in stream:
        received += chunk.choices[0].delta.content or ""
        if received == "one two":
            assert model.requests[-1].outcome == "open"
            pause.set()

    assert received == "one two three"
    assert model.requests[-1].outcome == "finished"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, openai.AuthenticationError),
        (404, openai.NotFoundError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
async def test_fails_with_a_status(
    model: DemoModel,
    client: openai.AsyncOpenAI,
    status: int,
    error: type[openai.APIStatusError],
) -> None:
    model.script(Reply(status=status, retry_after=1.5, message="told to"))

    with pytest.raises(error) as caught:
        await ask(client, "x")

    assert caught.value.status_code == status
    assert caught.value.request_id == "req_demo_1"
    assert caught.value.response.headers["retry-after"] == "1.5"
    assert "told to" in caught.value.message


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.DROPPED, openai.APIConnectionError),
        (Fault.CUT, openai.APIConnectionError),
        (Fault.MALFORMED, json.JSONDecodeError),
        (Fault.ERROR_EVENT, openai.APIError),
    ],
)
async def test_fails_on_the_way(
    model: DemoModel, client: openai.AsyncOpenAI, fault: Fault, error: type[Exception]
) -> None:
    model.script(Reply(text="one two three", fault=fault, after=2))

    with pytest.raises(error):
        await ask(client, "x")

    assert model.requests[-1].outcome == "failed"


async def test_ends_early_without_a_finish_reason(
    model: DemoModel, client: openai.AsyncOpenAI
) -> None:
    model.script(Reply(text="one two three", fault=Fault.ENDED_EARLY, after=2))

    chunks = await chunks_of(client, user("x"))

    assert text_of(chunks) == "one two"
    assert all(choice.finish_reason is None for c in chunks for choice in c.choices)


@pytest.mark.parametrize("fault", [Fault.SILENT, Fault.NO_RESPONSE])
async def test_stays_silent_until_the_client_leaves(
    model: DemoModel, client: openai.AsyncOpenAI, fault: Fault
) -> None:
    model.script(Reply(fault=fault))

    with pytest.raises(openai.APITimeoutError):
        await ask(client, "x", timeout=0.3)

    await model.requests[-1].ended.wait()
    assert model.requests[-1].outcome == "disconnected"
    assert "demo model" in await ask(client, "x")


async def test_clients_that_leave_in_the_middle_are_no_error(
    model: DemoModel, client: openai.AsyncOpenAI, caplog: pytest.LogCaptureFixture
) -> None:
    model.when("x", Reply(tokens=["x"] * 1_000, token_delay=0.001))

    async def leave_early() -> None:
        stream = await client.chat.completions.create(model="m", messages=user("x"), stream=True)
        async for _ in stream:
            break
        await stream.close()

    await asyncio.gather(*[leave_early() for _ in range(20)])

    for request in model.requests:
        await request.ended.wait()
    assert {request.outcome for request in model.requests} == {"disconnected"}
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_refuses_connections_for_a_while(
    model: DemoModel, client: openai.AsyncOpenAI
) -> None:
    await ask(client, "x")

    async with model.refusing():
        with pytest.raises(openai.APIConnectionError):
            await ask(client, "x")

    assert "demo model" in await ask(client, "x")


async def test_closing_ends_an_answer_in_progress() -> None:
    async with DemoModel() as model:
        model.script(Reply(fault=Fault.SILENT))
        async with aiohttp.ClientSession() as session, asyncio.timeout(5):
            body = {"model": "m", "messages": user("x"), "stream": True}
            async with session.post(f"{model.base_url}/chat/completions", json=body) as response:
                await model.__aexit__()
                with pytest.raises(aiohttp.ClientError):
                    await response.read()


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (b"{", "truncated"),
        (b"[]", "Expected `object`"),
        (b'{"model": "m"}', "messages"),
        (b'{"model": "m", "messages": []}', "empty"),
        (b'{"model": "m", "messages": [{"role": "king"}]}', "role"),
        (b'{"model": "m", "messages": [{"role": "user", "content": "\xff"}]}', "not valid"),
    ],
)
async def test_refuses_a_malformed_request(model: DemoModel, body: bytes, part: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{model.base_url}/chat/completions", data=body) as response,
    ):
        error = (await response.json())["error"]

    assert response.status == 400
    assert error["type"] == "invalid_request_error"
    assert part in error["message"]
    assert len(model.requests) == 0


async def test_unknown_paths_and_huge_bodies_get_api_errors(model: DemoModel) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{model.base_url}/embeddings") as missing:
            assert (await missing.json())["error"]["message"].startswith("Not Found")
        huge = io.BytesIO(b" " * (4 * 2**20 + 1))
        async with session.post(f"{model.base_url}/chat/completions", data=huge) as refused:
            assert "error" in await refused.json()

    assert (missing.status, refused.status) == (404, 413)


async def test_a_key_is_required_where_one_is_set() -> None:
    async with DemoModel(api_key="right") as model:
        async with openai.AsyncOpenAI(base_url=model.base_url, api_key="wrong") as wrong:
            with pytest.raises(openai.AuthenticationError, match="Incorrect API key"):
                await ask(wrong, "x")
        async with openai.AsyncOpenAI(base_url=model.base_url, api_key="right") as right:
            assert await ask(right, "x")


async def test_records_what_it_was_asked(model: DemoModel, client: openai.AsyncOpenAI) -> None:
    asked = asyncio.create_task(ask(client, "remember this", temperature=0.5))
    request = await model.requests.reach(1)
    await asked

    assert request.chat.user_text == "remember this"
    assert request.body["temperature"] == 0.5
    assert request.headers["authorization"] == "Bearer any"
    await request.ended.wait()
    assert request.outcome == "finished"


def test_listens_on_loopback_only() -> None:
    with pytest.raises(ValueError, match="loopback only"):
        DemoModel(host="0.0.0.0")  # noqa: S104 # that it is refused is the test


def test_a_reply_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="not both"):
        Reply(text="a", tokens=["a"])
    with pytest.raises(ValueError, match="not negative"):
        Reply(token_delay=-1)
    with pytest.raises(ValueError, match="400 to 599"):
        Reply(status=302)


async def test_scripts_are_bounded(model: DemoModel) -> None:
    with pytest.raises(ValueError, match="at most 1000"):
        model.script(*[Reply()] * 1_001)


async def test_serves_the_plugin(model: DemoModel) -> None:
    asked: list[str] = []

    @function_tool(name="getWeather")
    async def get_weather(city: str) -> str:
        """Get the weather.

        Args:
            city: Name of the city
        """
        asked.append(city)
        return "Weather service unreachable"

    context = llm.ChatContext.empty()
    context.add_message(role="user", content="What is the weather in Paris?")
    tools: list[llm.Tool] = [get_weather]
    plugin: llm.LLM[object] = openai_plugin.LLM(model="m", base_url=model.base_url, api_key="any")
    async with plugin:
        options = APIConnectOptions(max_retry=0)
        called = await plugin.chat(chat_ctx=context, tools=tools, conn_options=options).collect()
        for call in called.tool_calls:
            result = await llm.execute_function_call(call, llm.ToolContext(tools))
            context.insert(result.fnc_call)
            assert result.fnc_call_out
            context.insert(result.fnc_call_out)
        answered = await plugin.chat(chat_ctx=context, tools=tools, conn_options=options).collect()

    assert asked == ["Paris"]
    assert "failed: Weather service unreachable" in answered.text
    assert answered.usage
    assert answered.usage.total_tokens > 0


async def test_runs_by_itself_until_it_is_told_to_stop() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "devserver.model", "--port", "0", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    try:
        async with asyncio.timeout(20):
            line = (await process.stdout.readline()).decode()
            base_url = line.strip().partition("OPENAI_BASE_URL=")[2]
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"{base_url}/models") as response,
            ):
                assert response.status == 200
            process.terminate()
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
