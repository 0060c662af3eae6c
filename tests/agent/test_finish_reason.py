"""The finish reason of an answer reaches whoever awaits its SpeechHandle."""

import asyncio
import contextvars
from collections.abc import AsyncGenerator, Coroutine
from typing import Any

import pytest
from livekit.agents import Agent, AgentSession, APIConnectOptions, llm
from livekit.agents.voice.agent_session import SessionConnectOptions

from agent.models.finish_reason import FinishReasons
from agent.models.llm import build_client, build_llm
from agent.models.openai_client import OpenAIClient
from devserver.model import DemoModel, Fault, Reply, tool_call


@pytest.fixture
async def model() -> AsyncGenerator[DemoModel]:
    async with DemoModel() as model, asyncio.timeout(20):
        yield model


@pytest.fixture
async def client(model: DemoModel) -> AsyncGenerator[OpenAIClient]:
    client = build_client(base_url=model.base_url)
    yield client
    await client.close()


async def _call(raw_arguments: dict[str, object]) -> str:
    return "done"


async def replies_to(client: OpenAIClient, *texts: str) -> list[str | None]:
    """Answers of one headless session, one after the other: the finish reason of each."""
    tool = llm.function_tool(
        _call, raw_schema={"name": "act", "description": "Act", "parameters": {"type": "object"}}
    )
    options = SessionConnectOptions(llm_conn_options=APIConnectOptions(max_retry=0))
    session: AgentSession[None] = AgentSession(
        llm=build_llm(client, model="demo"), vad=None, turn_detection="manual", conn_options=options
    )
    await session.start(Agent(instructions="Be brief.", tools=[tool]), record=False)
    try:
        reasons: list[str | None] = []
        for text in texts:
            with FinishReasons() as finish:
                handle = session.generate_reply(user_input=text, input_modality="text")
            await handle
            reasons.append(finish.last)
        return reasons
    finally:
        await session.aclose()


def in_own_context(work: Coroutine[Any, Any, list[str | None]]) -> asyncio.Task[list[str | None]]:
    """Sessions of one process are started so, each from a context of its own."""
    return asyncio.get_running_loop().create_task(work, context=contextvars.Context())


async def test_each_answer_has_its_own(model: DemoModel, client: OpenAIClient) -> None:
    model.when("short", Reply(text="as much as", finish_reason="length"))
    model.when("filtered", Reply(text="no", finish_reason="content_filter"))

    reasons = await replies_to(client, "hello", "be short", "hello", "be filtered")

    assert reasons == ["stop", "length", "stop", "content_filter"]


async def test_after_tool_calls_it_is_that_of_the_last_request(
    model: DemoModel, client: OpenAIClient
) -> None:
    model.script(
        Reply(tool_calls=[tool_call("act")]), Reply(text="cut here", finish_reason="length")
    )

    assert await replies_to(client, "act") == ["length"]
    assert model.requests.total == 2


async def test_answers_at_the_same_time_on_one_client_keep_theirs_apart(
    model: DemoModel, client: OpenAIClient
) -> None:
    together = asyncio.Event()
    model.when("long", Reply(text="one two", pause=together, after=1))
    model.when("short", Reply(text="one two", pause=together, after=1, finish_reason="length"))
    questions = ["long", "short"] * 5

    answers = [in_own_context(replies_to(client, question)) for question in questions]
    await model.requests.reach(len(questions))
    together.set()

    reasons = await asyncio.gather(*answers)
    assert reasons == [["stop"], ["length"]] * 5


async def test_a_failed_answer_has_none(model: DemoModel, client: OpenAIClient) -> None:
    model.script(Reply(text="one two", fault=Fault.CUT, after=1))

    assert await replies_to(client, "hello") == [None]
