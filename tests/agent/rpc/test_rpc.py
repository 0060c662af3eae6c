"""The tools as RPC methods, called as any client calls them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from datetime import datetime

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from livekit import rtc

from devserver.model import DemoModel, Reply, tool_call
from tests.agent.chat_client import ChatClient
from tests.agent.conftest import Enter, StartWorker, Worker
from toolkit import tool
from tools import TOOLS

TOOL_NAMES = [tool.name for tool in TOOLS]
ROOM_METHODS = [
    "getHistory",
    "getMessage",
    "stopResponse",
    "regenerate",
    "editMessage",
    "deleteMessage",
    "sendFeedback",
    "listThreads",
    "deleteThread",
    "getSummary",
    "partAction",
    "getState",
    "patchState",
    "setListening",
    "eraseData",
    "getWhiteboard",
    "sendFile",
    "exportTranscript",
    "say",
    "ask",
    "handoff",
    "setInstructions",
    "endSession",
]
ROOM_TOOLS = ["getCursors", "readWhiteboard", "drawOnWhiteboard"]
"""Those of the topics; see agent/data."""


@pytest.fixture
async def weather_service() -> AsyncGenerator[TestServer]:
    """Open-Meteo's two endpoints, which know one city."""

    async def search(request: web.Request) -> web.Response:
        if request.query["name"] != "Paris":
            return web.json_response({})
        place = {"name": "Paris", "country": "France", "latitude": 48.9, "longitude": 2.3}
        return web.json_response({"results": [place]})

    async def forecast(_: web.Request) -> web.Response:
        current = {
            "time": 1_700_000_000,
            "temperature_2m": 11.5,
            "relative_humidity_2m": 70,
            "apparent_temperature": 10.0,
            "weather_code": 3,
            "wind_speed_10m": 12.0,
            "wind_direction_10m": 200,
        }
        return web.json_response({"current": current, "utc_offset_seconds": 3600})

    app = web.Application()
    app.add_routes([web.get("/v1/search", search), web.get("/v1/forecast", forecast)])
    server = TestServer(app)
    await server.start_server()
    yield server
    await server.close()


@pytest.fixture
async def worker_with_weather(start_worker: StartWorker, weather_service: TestServer) -> Worker:
    return await start_worker(
        WEATHER_GEOCODING_URL=str(weather_service.make_url("/v1/search")),
        WEATHER_FORECAST_URL=str(weather_service.make_url("/v1/forecast")),
    )


async def fails(client: ChatClient, method: str, payload: str) -> rtc.RpcError:
    with pytest.raises(rtc.RpcError) as caught:
        await client.call(method, payload)
    return caught.value


async def test_the_agent_says_which_methods_it_has(enter: Enter) -> None:
    alice = await enter("alice")
    assert alice.agent is not None
    ready = alice.agent.attributes["agent.ready"].split(",")
    assert ready == [*TOOL_NAMES, *ROOM_TOOLS, *ROOM_METHODS]
    tools = json.loads(await alice.call("describeTools"))["tools"]
    assert [tool["name"] for tool in tools] == [*TOOL_NAMES, *ROOM_TOOLS]


async def test_ping_and_the_time(enter: Enter) -> None:
    alice = await enter("alice")
    assert json.loads(await alice.call("ping"))["pong"] > 1_700_000_000_000
    assert json.loads(await alice.call("ping", "{}"))["pong"] > 1_700_000_000_000
    time = await alice.call("getCurrentTime")
    assert time.endswith("Z")
    assert datetime.fromisoformat(time).tzinfo is not None


async def test_one_tool_two_doors(
    worker_with_weather: Worker, enter: Enter, model: DemoModel
) -> None:
    """The model and an RPC caller get the same from getWeather, character by character."""
    alice = await enter("alice", worker=worker_with_weather)
    by_rpc = await alice.call("getWeather", '{"city": "Paris"}')
    assert json.loads(by_rpc)["temperature"] == 11.5
    answer = await alice.ask("What is the weather in Paris?")
    (_, by_model) = model.requests[-1].chat.tool_results[-1]
    assert by_model == by_rpc
    assert "11.5" in answer.text
    assert answer.finish_reason == "stop"


async def test_errors_have_codes_and_say_what_is_wrong(
    worker_with_weather: Worker, enter: Enter
) -> None:
    alice = await enter("alice", worker=worker_with_weather)
    wrong = await fails(alice, "getWeather", '{"city": 5}')
    assert wrong.code == 400
    assert "city" in json.loads(wrong.data or "")["fields"]
    assert (await fails(alice, "getWeather", "{city")).code == 400
    assert (await fails(alice, "getWeather", "[]")).code == 400
    assert (await fails(alice, "getWeather", "")).code == 400
    assert (await fails(alice, "getWeather", '{"city": "Paris", "x": 1}')).code == 400
    assert (await fails(alice, "getWeather", '{"city": "Atlantis"}')).code == 404
    assert (
        await fails(alice, "noSuchMethod", "")
    ).code == rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD
    assert json.loads(await alice.call("ping"))


async def test_the_weather_service_is_away(start_worker: StartWorker, enter: Enter) -> None:
    nowhere = "http://127.0.0.1:9/v1"
    worker = await start_worker(WEATHER_GEOCODING_URL=nowhere, WEATHER_FORECAST_URL=nowhere)
    alice = await enter("alice", worker=worker)
    assert (await fails(alice, "getWeather", '{"city": "Paris"}')).code == 503
    answer = await alice.ask("What is the weather in Paris?")
    assert answer.finish_reason == "stop"
    assert "unreachable" in answer.text


@pytest.mark.parametrize("payload", ['{"fail": true}', "data"])
async def test_internal_errors_stay_internal(enter: Enter, payload: str) -> None:
    alice = await enter("alice")
    failed = await fails(alice, "riskyOperation", payload)
    assert (failed.code, failed.message, failed.data or None) == (500, "Operation failed", None)
    assert json.loads(await alice.call("riskyOperation", "other"))["success"] is True


async def test_too_large_a_payload(enter: Enter) -> None:
    alice = await enter("alice")
    payload = json.dumps({"data": "x" * 70_000})
    assert (await fails(alice, "riskyOperation", payload)).code == 413


async def test_callers_are_limited_one_by_one(start_worker: StartWorker, enter: Enter) -> None:
    gate = asyncio.Event()
    waiting = asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        waiting.set()
        await gate.wait()
        return web.json_response({})

    app = web.Application()
    app.add_routes([web.get("/v1/search", hang)])
    async with TestServer(app) as slow:
        worker = await start_worker(
            MAX_RPC_CALLS="1", WEATHER_GEOCODING_URL=str(slow.make_url("/v1/search"))
        )
        alice = await enter("alice", worker=worker)
        bob = await enter("bob")
        first = asyncio.create_task(fails(alice, "getWeather", '{"city": "Paris"}'))
        await waiting.wait()
        refused = await fails(alice, "ping", "")
        assert refused.code == 429
        assert json.loads(refused.data or "")["retryAfter"] > 0
        assert await bob.call("ping")
        gate.set()
        assert (await first).code == 404
        assert await alice.call("ping")


async def test_a_tool_is_stopped_before_its_caller_gives_up(
    start_worker: StartWorker, enter: Enter
) -> None:
    async def hang(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    app = web.Application()
    app.add_routes([web.get("/v1/search", hang)])
    async with TestServer(app, shutdown_timeout=0.1) as slow:
        worker = await start_worker(WEATHER_GEOCODING_URL=str(slow.make_url("/v1/search")))
        alice = await enter("alice", worker=worker)
        with pytest.raises(rtc.RpcError) as caught:
            await alice.call("getWeather", '{"city": "Paris"}', timeout=8.5)
        assert caught.value.code in (503, 504)


async def test_the_model_gets_an_error_for_a_bad_call(enter: Enter, model: DemoModel) -> None:
    model.script(Reply(tool_calls=[tool_call("getWeather", '{"city": 5}')]))
    alice = await enter("alice")
    answer = await alice.ask("go")
    assert answer.finish_reason == "stop"
    (_, told) = model.requests[-1].chat.tool_results[-1]
    assert "city" in told


async def test_a_tool_that_fails_tells_the_model_no_more_than_a_caller(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    @tool
    async def fail() -> str:
        """Fail."""
        raise RuntimeError("inside")

    model.script(Reply(tool_calls=[tool_call("fail")]))
    alice = await enter("alice", worker=await start_worker(tools=[fail]))
    await alice.ask("go")
    (_, told) = model.requests[-1].chat.tool_results[-1]
    assert told == "Operation failed"
