"""OpenAI's Responses API, by a stub of its wire, through the real plugin."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from livekit.agents import llm
from livekit.plugins import openai

from agent import App
from agent.testing import AppTest
from toolkit import tool

CALL: dict[str, Any] = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "openingHours",
    "arguments": '{"day": "Saturday"}',
    "status": "completed",
}


@tool
async def opening_hours(day: str) -> str:
    """Tell the opening hours of a day."""
    return f"{day}: 10 to 4"


class Responses:
    """/v1/responses, by websocket or by events: a call of a tool, and then an answer."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []

    async def by_websocket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            self.requests.append(json.loads(message.data))
            for event in self._events():
                await socket.send_json(event)
        return socket

    async def by_events(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(await request.json())
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        response.force_close()
        await response.prepare(request)
        for event in self._events():
            await response.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
        return response

    def _events(self) -> Iterator[dict[str, Any]]:
        """The service's response to the latest request."""
        number = len(self.requests)
        response: dict[str, Any] = {
            "id": f"resp_{number}",
            "created_at": 1_790_000_000,
            "model": "gpt-4.1",
            "object": "response",
            "output": [],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
        }
        usage = {
            "input_tokens": 12,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 8,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 20,
        }
        events: list[dict[str, Any]] = [{"type": "response.created", "response": response}]
        if number == 1:
            events.append({"type": "response.output_item.done", "output_index": 0, "item": CALL})
        else:
            place: dict[str, Any] = {
                "item_id": "m_1",
                "output_index": 0,
                "content_index": 0,
                "logprobs": [],
            }
            events += [
                {"type": "response.output_text.delta", **place, "delta": text}
                for text in ("Yes, ", "from 10 to 4.")
            ]
        events.append({"type": "response.completed", "response": {**response, "usage": usage}})
        for sequence, event in enumerate(events):
            yield {**event, "sequence_number": sequence}


@pytest.fixture
async def service() -> AsyncGenerator[tuple[Responses, str]]:
    responses = Responses()
    application = web.Application()
    application.router.add_get("/v1/responses", responses.by_websocket)
    application.router.add_post("/v1/responses", responses.by_events)
    async with TestServer(application) as server:
        yield responses, str(server.make_url("/v1"))


@pytest.mark.parametrize("use_websocket", [True, False], ids=["websocket", "events"])
async def test_it_calls_a_tool_and_answers(
    service: tuple[Responses, str],
    use_websocket: bool,
) -> None:
    responses, url = service

    def model() -> llm.LLM[Any]:
        # By websocket, it is the whole address.
        address = f"{url}/responses" if use_websocket else url
        return openai.responses.LLM(
            model="gpt-4.1", base_url=address, api_key="a key", use_websocket=use_websocket
        )

    app = App(instructions="You know when the shop is open.", tools=[opening_hours], llm=model)
    async with AppTest(app) as test:
        alice = await test.enter("alice")
        answer = await alice.ask("Are you open on Saturday?")
        assert answer.text == "Yes, from 10 to 4."
        assert [(call.name, call.result) for call in answer.calls] == [
            ("openingHours", "Saturday: 10 to 4")
        ]
        assert test.tokens() == (24, 16)
    first, second = responses.requests
    assert "You know when the shop is open." in json.dumps(first["input"])
    assert [each["name"] for each in first["tools"]] == ["openingHours"]
    outputs = [each for each in second["input"] if each.get("type") == "function_call_output"]
    assert [(each["call_id"], each["output"]) for each in outputs] == [
        ("call_1", "Saturday: 10 to 4")
    ]
