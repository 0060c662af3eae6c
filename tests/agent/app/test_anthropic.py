"""examples/anthropic, with the real plugin and a stub of Anthropic's Messages API."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from agent.app.loading import load_app
from agent.testing import AppTest
from tests.agent.app.import_state import restored_imports
from tests.agent.app.test_examples import EXAMPLES, reference

USE: dict[str, Any] = {"type": "tool_use", "id": "toolu_1", "name": "openingHours", "input": {}}


@pytest.fixture(autouse=True)
def imports() -> Generator[None]:
    with restored_imports(EXAMPLES):
        yield


class Messages:
    """POST /v1/messages as Anthropic streams it: a call of a tool, and then an answer."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(await request.json())
        self.keys.append(request.headers["x-api-key"])
        if len(self.requests) == 1:
            delta = {"type": "input_json_delta", "partial_json": '{"day": "Saturday"}'}
            block, reason = USE, "tool_use"
        else:
            delta = {"type": "text_delta", "text": "Yes, from 10 to 4."}
            block, reason = {"type": "text", "text": ""}, "end_turn"
        usage = {"input_tokens": 12, "output_tokens": 1}
        message: dict[str, Any] = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "content": [],
        }
        about = {"model": "claude", "stop_reason": None, "stop_sequence": None, "usage": usage}
        end = {"stop_reason": reason, "stop_sequence": None}
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        response.force_close()  # The plugin would leave the connection open.
        await response.prepare(request)
        events: list[dict[str, Any]] = [
            {"type": "message_start", "message": {**message, **about, "content": []}},
            {"type": "content_block_start", "index": 0, "content_block": block},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": end, "usage": {"output_tokens": 7}},
            {"type": "message_stop"},
        ]
        for event in events:
            await response.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
        return response


@pytest.fixture
async def messages(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Messages]:
    messages = Messages()
    service = web.Application()
    service.router.add_post("/v1/messages", messages.answer)
    async with TestServer(service) as server:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "a key")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", str(server.make_url("")))
        yield messages


async def test_claude_calls_a_tool_and_answers(messages: Messages) -> None:
    async with AppTest(load_app(reference("anthropic", "claude"))) as test:
        alice = await test.enter("alice")
        answer = await alice.ask("Are you open on Saturday?")
        assert answer.text == "Yes, from 10 to 4."
        answer.expect.contains_function_call(name="openingHours", arguments={"day": "Saturday"})
        assert answer.calls[-1].result == "10 to 4"
        assert len(test.model.requests) == 0
        assert test.tokens() == (24, 16)
    first, second = messages.requests
    assert messages.keys == ["a key"] * 2
    assert first["model"] == "claude-sonnet-4-6"
    assert "when the shop is open" in first["system"][0]["text"]
    assert [each["name"] for each in first["tools"]] == ["openingHours"]
    [result] = [
        block
        for message in second["messages"]
        for block in message["content"]
        if block["type"] == "tool_result"
    ]
    assert result["tool_use_id"] == "toolu_1"
    assert "10 to 4" in json.dumps(result["content"])
