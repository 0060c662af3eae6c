"""Without a script, the demo model answers by plain rules."""

import json
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from devserver.model import DemoModel
from tests.devserver.model.questions import after_tool, ask, chunks_of, text_of, user

WEATHER_TOOL: Any = {
    "type": "function",
    "function": {"name": "getWeather", "parameters": {"type": "object", "properties": {}}},
}
TIME_TOOL: Any = {
    "type": "function",
    "function": {"name": "getCurrentTime", "parameters": {"type": "object", "properties": {}}},
}


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


async def test_calls_any_scripted_tool(client: openai.AsyncOpenAI) -> None:
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
