"""The demo model serves the API: errors, keys, and the record of requests."""

import asyncio
import io

import aiohttp
import openai
import pytest

from devserver.model import DemoModel
from tests.devserver.model.questions import ask


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
