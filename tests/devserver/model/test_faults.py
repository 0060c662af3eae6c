"""The demo model fails as its script says."""

import asyncio
import json

import aiohttp
import openai
import pytest

from devserver.model import DemoModel, Fault, Reply
from tests.devserver.model.questions import ask, chunks_of, text_of, user


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
