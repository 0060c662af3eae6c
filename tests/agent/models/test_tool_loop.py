"""An answer in writing is made as an AgentSession makes it: the same requests, the same memory."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from livekit.agents import APIError, llm

from agent.models.assistant import MAX_TOOL_STEPS
from agent.models.llm import build_client
from agent.models.openai_client import OpenAIClient
from devserver.model import DemoModel, Fault, Reply, tool_call
from tests.agent.tool_loops import BOTH, Answer, Said, by_loop, loop_of
from toolkit.errors import NotFound
from toolkit.settings import ToolSettings
from toolkit.tool import tool
from toolkit.toolbox import Toolbox


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
async def tell_time(city: str) -> str:
    """Tell the time."""
    return f"Noon in {city}"


@tool
async def find_nothing() -> str:
    """Find nothing."""
    raise NotFound("Nothing there")


@pytest.fixture
async def tools() -> AsyncGenerator[Toolbox]:
    async with Toolbox([tell_time, find_nothing], ToolSettings()) as tools:
        yield tools


PARIS = '{"city": "Paris"}'


def remembered(items: list[llm.ChatItem]) -> list[tuple[object, ...]]:
    """The relevant part of items; ids and times are their own."""
    seen: list[tuple[object, ...]] = []
    for item in items:
        if item.type == "message":
            seen.append((item.role, item.text_content, item.interrupted))
        elif item.type == "function_call":
            seen.append((item.name, item.arguments, item.call_id))
        elif item.type == "function_call_output":
            seen.append((item.name, item.output, item.is_error, item.call_id))
    return seen


def asked(model: DemoModel) -> list[dict[str, Any]]:
    """The requests. After calls a session says that the model may choose, as it may anyway."""
    bodies = [dict(request.body) for request in model.requests]
    return [
        {key: value for key, value in body.items() if (key, value) != ("tool_choice", "auto")}
        for body in bodies
    ]


SCRIPTS: dict[str, list[Reply]] = {
    "text": [Reply("Hello there.")],
    "a call": [
        Reply("Let me see.", tool_calls=[tool_call("tellTime", PARIS)]),
        Reply("It is noon."),
    ],
    "calls side by side": [
        Reply(tool_calls=[tool_call("tellTime", PARIS), tool_call("tellTime", '{"city": "Oslo"}')]),
        Reply("Both."),
    ],
    "a call that fails": [Reply(tool_calls=[tool_call("findNothing")]), Reply("Nothing.")],
    "arguments that are no JSON": [
        Reply(tool_calls=[tool_call("tellTime", "Paris, please")]),
        Reply("Sorry."),
    ],
    "arguments to be repaired": [
        Reply(tool_calls=[tool_call("tellTime", "{'city': 'Paris',}")]),
        Reply("Noon."),
    ],
    "arguments that were cut off": [
        Reply(tool_calls=[tool_call("tellTime", '{"city": "Par')]),
        Reply("Again, then."),
    ],
    "calls without end": [
        *(Reply(tool_calls=[tool_call("tellTime", PARIS)]) for _ in range(MAX_TOOL_STEPS)),
        Reply("That is all."),
    ],
}


@pytest.mark.parametrize("name", SCRIPTS)
async def test_it_asks_and_remembers_what_a_session_does(tools: Toolbox, name: str) -> None:
    answers: dict[str, Answer] = {}
    requests: dict[str, list[dict[str, Any]]] = {}
    for kind, answer in BOTH.items():
        async with DemoModel() as model:
            model.script(*SCRIPTS[name])
            client = build_client(base_url=model.base_url)
            # A session leaves its own in the context: each begins with an empty one.
            answers[kind] = await asyncio.get_running_loop().create_task(
                answer(client, tools, "hello"), context=contextvars.Context()
            )
            requests[kind] = asked(model)
            await client.close()
    text, items = answers["loop"]
    assert remembered(items) == remembered(answers["session"][1])
    assert text == answers["session"][0]
    assert len(requests["loop"]) == len(SCRIPTS[name])
    assert requests["loop"] == requests["session"]


async def test_after_so_many_steps_it_has_to_do_without_tools(
    model: DemoModel, client: OpenAIClient, tools: Toolbox
) -> None:
    calls = [Reply(tool_calls=[tool_call("tellTime", PARIS)]) for _ in range(MAX_TOOL_STEPS + 1)]
    model.script(*calls)

    _, items = await by_loop(client, tools, "hello")

    assert [body.get("tool_choice") for body in asked(model)] == [*[None] * MAX_TOOL_STEPS, "none"]
    assert len([item for item in items if item.type == "function_call"]) == MAX_TOOL_STEPS


async def test_a_step_that_breaks_off_keeps_its_text_and_calls_nothing(
    model: DemoModel, client: OpenAIClient, tools: Toolbox
) -> None:
    model.script(
        Reply("one two", tool_calls=[tool_call("tellTime", PARIS)], fault=Fault.CUT, after=3)
    )
    said = Said()
    loop = loop_of(client, tools, said)

    with pytest.raises(APIError):
        await loop.run([llm.ChatMessage(role="user", content=["hello"])])

    assert remembered(loop.said) == [("assistant", "one two", True)]
    assert said.text == "one two"
    assert loop.finish_reason is None


async def test_finished_calls_of_a_cancelled_answer_are_kept(
    model: DemoModel, client: OpenAIClient
) -> None:
    hangs = asyncio.Event()
    given_up = asyncio.Event()

    @tool
    async def hang() -> str:
        """Hang."""
        hangs.set()
        try:
            await asyncio.Event().wait()
        finally:
            given_up.set()
        return "never"

    model.script(Reply("So.", tool_calls=[tool_call("tellTime", PARIS), tool_call("hang")]))
    async with Toolbox([tell_time, hang], ToolSettings()) as tools:
        loop = loop_of(client, tools)
        running = asyncio.create_task(loop.run([llm.ChatMessage(role="user", content=["hello"])]))
        await hangs.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    assert given_up.is_set()
    assert [each[:2] for each in remembered(loop.said)] == [
        ("assistant", "So."),
        ("tellTime", PARIS),
        ("tellTime", "Noon in Paris"),
    ]
    assert model.requests.total == 1


async def test_a_tool_failure_is_an_error_without_details_for_the_model(
    model: DemoModel, client: OpenAIClient, tools: Toolbox, caplog: pytest.LogCaptureFixture
) -> None:
    loop = loop_of(client, tools)

    async def broken(*_: object) -> str:
        raise RuntimeError("the secret cause")

    loop._assistant.tools.offer(tools, broken)  # pyright: ignore[reportPrivateUsage] - what a faulty caller would do
    model.script(Reply(tool_calls=[tool_call("tellTime", PARIS)]), Reply("Sorry."))

    await loop.run([llm.ChatMessage(role="user", content=["hello"])])

    assert ("tellTime", "An internal error occurred", True) in [
        each[:3] for each in remembered(loop.said)
    ]
    assert "tool failed unexpectedly: tellTime" in caplog.text


@pytest.mark.parametrize(
    "given", ['{"city": "Par', '{"city": "Paris"', f'{PARIS}{{"city": "Oslo"}}', "{'city': 'Paris'"]
)
async def test_arguments_that_were_cut_off_or_run_together_are_an_error(
    model: DemoModel, client: OpenAIClient, tools: Toolbox, given: str
) -> None:
    loop = loop_of(client, tools)
    model.script(Reply(tool_calls=[tool_call("tellTime", given)]), Reply("Again, then."))

    await loop.run([llm.ChatMessage(role="user", content=["hello"])])

    (result,) = [item for item in loop.said if item.type == "function_call_output"]
    assert result.is_error
    assert "Error parsing arguments for `tellTime`" in result.output


async def test_a_model_that_calls_an_unknown_tool_learns_which_there_are(
    model: DemoModel, client: OpenAIClient, tools: Toolbox
) -> None:
    loop = loop_of(client, tools)
    model.script(Reply(tool_calls=[tool_call("fly")]), Reply("I cannot."))

    await loop.run([llm.ChatMessage(role="user", content=["hello"])])

    assert ("fly", "There is no tool fly. The tools are: tellTime, findNothing", True) in [
        each[:3] for each in remembered(loop.said)
    ]


async def finish_reason(client: OpenAIClient, tools: Toolbox, text: str) -> str | None:
    loop = loop_of(client, tools)
    try:
        await loop.run([llm.ChatMessage(role="user", content=[text])])
    except APIError:
        assert loop.said
    return loop.finish_reason


async def test_each_answer_has_its_own_finish_reason(
    model: DemoModel, client: OpenAIClient, tools: Toolbox
) -> None:
    model.when("short", Reply(text="as much as", finish_reason="length"))
    model.when("filtered", Reply(text="no", finish_reason="content_filter"))

    texts = ["hello", "be short", "hello", "be filtered"]
    reasons = [await finish_reason(client, tools, text) for text in texts]

    assert reasons == ["stop", "length", "stop", "content_filter"]


async def test_after_tool_calls_the_finish_reason_is_that_of_the_last_request(
    model: DemoModel, client: OpenAIClient, tools: Toolbox
) -> None:
    model.script(
        Reply(tool_calls=[tool_call("tellTime", PARIS)]),
        Reply(text="cut here", finish_reason="length"),
    )

    assert await finish_reason(client, tools, "act") == "length"
    assert model.requests.total == 2


async def test_answers_at_the_same_time_on_one_client_keep_their_finish_reasons_apart(
    model: DemoModel, client: OpenAIClient, tools: Toolbox
) -> None:
    together = asyncio.Event()
    model.when("long", Reply(text="one two", pause=together, after=1))
    model.when("short", Reply(text="one two", pause=together, after=1, finish_reason="length"))
    questions = ["long", "short"] * 5

    answers = [
        asyncio.create_task(finish_reason(client, tools, question)) for question in questions
    ]
    await model.requests.reach(len(questions))
    together.set()

    assert await asyncio.gather(*answers) == ["stop", "length"] * 5


async def test_a_failed_answer_has_no_finish_reason(
    model: DemoModel, client: OpenAIClient, tools: Toolbox
) -> None:
    model.script(Reply(text="one two", fault=Fault.CUT, after=1))

    assert await finish_reason(client, tools, "hello") is None
