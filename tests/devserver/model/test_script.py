"""The demo model answers as its script says."""

import asyncio

import openai
import pytest

from devserver.model import DemoModel, Reply, tool_call
from tests.devserver.model.questions import after_tool, ask, chunks_of, text_of, user


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
