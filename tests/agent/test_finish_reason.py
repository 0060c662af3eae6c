"""The finish reason of an answer reaches whoever asked for it."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from livekit.agents import APIError, llm

from agent.models.llm import build_client
from agent.models.openai_client import OpenAIClient
from devserver.model import DemoModel, Fault, Reply, tool_call
from tests.agent.tool_loops import loop_of
from tools.settings import ToolSettings
from tools.tool import tool
from tools.toolbox import Toolbox


@pytest.fixture
async def model() -> AsyncGenerator[DemoModel]:
    async with DemoModel() as model, asyncio.timeout(20):
        yield model


@pytest.fixture
async def client(model: DemoModel) -> AsyncGenerator[OpenAIClient]:
    client = build_client(base_url=model.base_url)
    yield client
    await client.close()


@tool
async def act() -> str:
    """Act."""
    return "done"


async def reply_to(client: OpenAIClient, text: str) -> str | None:
    async with Toolbox([act], ToolSettings()) as tools:
        loop = loop_of(client, tools)
        try:
            await loop.run([llm.ChatMessage(role="user", content=[text])])
        except APIError:
            assert loop.said
    return loop.finish_reason


async def test_each_answer_has_its_own(model: DemoModel, client: OpenAIClient) -> None:
    model.when("short", Reply(text="as much as", finish_reason="length"))
    model.when("filtered", Reply(text="no", finish_reason="content_filter"))

    texts = ["hello", "be short", "hello", "be filtered"]
    reasons = [await reply_to(client, text) for text in texts]

    assert reasons == ["stop", "length", "stop", "content_filter"]


async def test_after_tool_calls_it_is_that_of_the_last_request(
    model: DemoModel, client: OpenAIClient
) -> None:
    model.script(
        Reply(tool_calls=[tool_call("act")]), Reply(text="cut here", finish_reason="length")
    )

    assert await reply_to(client, "act") == "length"
    assert model.requests.total == 2


async def test_answers_at_the_same_time_on_one_client_keep_theirs_apart(
    model: DemoModel, client: OpenAIClient
) -> None:
    together = asyncio.Event()
    model.when("long", Reply(text="one two", pause=together, after=1))
    model.when("short", Reply(text="one two", pause=together, after=1, finish_reason="length"))
    questions = ["long", "short"] * 5

    answers = [asyncio.create_task(reply_to(client, question)) for question in questions]
    await model.requests.reach(len(questions))
    together.set()

    assert await asyncio.gather(*answers) == ["stop", "length"] * 5


async def test_a_failed_answer_has_none(model: DemoModel, client: OpenAIClient) -> None:
    model.script(Reply(text="one two", fault=Fault.CUT, after=1))

    assert await reply_to(client, "hello") is None
