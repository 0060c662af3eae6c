"""Gemini, by a stub of its wire, through the real plugin; see `make test-plugins`."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from agent import App
from agent.testing import AppTest
from toolkit import tool

google: Any = pytest.importorskip(
    "livekit.plugins.google", reason="livekit-plugins-google is in no lock: make test-plugins"
)

CALL = {"functionCall": {"name": "openingHours", "args": {"day": "Saturday"}}}
USAGE = {"promptTokenCount": 12, "candidatesTokenCount": 8, "totalTokenCount": 20}


@tool
async def opening_hours(day: str) -> str:
    """Tell the opening hours of a day."""
    return f"{day}: 10 to 4"


class Models:
    """POST /VERSION/models/MODEL:streamGenerateContent: a call of a tool, and then an answer."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(await request.json())
        self.asked.append(f"{request.match_info['model']} {request.headers['x-goog-api-key']}")
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        response.force_close()
        await response.prepare(request)
        parts = [CALL] if len(self.requests) == 1 else [{"text": "Yes, "}, {"text": "10 to 4."}]
        for number, part in enumerate(parts, 1):
            candidate: dict[str, Any] = {"content": {"role": "model", "parts": [part]}, "index": 0}
            chunk: dict[str, Any] = {"candidates": [candidate]}
            if number == len(parts):
                candidate["finishReason"] = "STOP"
                chunk["usageMetadata"] = USAGE
            await response.write(f"data: {json.dumps(chunk)}\r\n\r\n".encode())
        return response


@pytest.fixture
async def models(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Models]:
    models = Models()
    service = web.Application()
    service.router.add_post("/{version}/models/{model}", models.answer)
    async with TestServer(service) as server:
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", str(server.make_url("")))
        yield models


async def test_it_calls_a_tool_and_answers(models: Models) -> None:
    app = App(
        instructions="You know when the shop is open.",
        tools=[opening_hours],
        llm=lambda: google.LLM(model="gemini-2.5-flash", api_key="a key"),
    )
    async with AppTest(app) as test:
        alice = await test.enter("alice")
        answer = await alice.ask("Are you open on Saturday?")
        assert answer.text == "Yes, 10 to 4."
        assert [(call.name, call.result) for call in answer.calls] == [
            ("openingHours", "Saturday: 10 to 4")
        ]
        assert test.tokens() == (24, 16)
    first, second = models.requests
    assert models.asked == ["gemini-2.5-flash:streamGenerateContent a key"] * 2
    assert "You know when the shop is open." in json.dumps(first["systemInstruction"])
    [declared] = first["tools"][0]["functionDeclarations"]
    assert declared["name"] == "openingHours"
    told = [part for content in second["contents"] for part in content["parts"]]
    [result] = [part["functionResponse"] for part in told if "functionResponse" in part]
    assert (result["name"], "10 to 4" in json.dumps(result["response"])) == ("openingHours", True)
