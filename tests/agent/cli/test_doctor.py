from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import AsyncGenerator
from email.utils import formatdate

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from tests.agent.cli.command_line import CommandLine
from tests.agent.models.raw_model import RawAnswer, RawModel
from tests.room_server import RoomServerUnderTest
from tests.tools.open_meteo_server import OpenMeteoServer


@pytest.fixture
async def healthy(agent: CommandLine) -> AsyncGenerator[CommandLine]:
    """Everything that `doctor` looks at, in order."""
    async with OpenMeteoServer() as weather:
        agent.environ |= {
            "WEATHER_GEOCODING_URL": weather.settings.weather_geocoding_url,
            "WEATHER_FORECAST_URL": weather.settings.weather_forecast_url,
        }
        yield agent


def nowhere(scheme: str) -> str:
    return f"{scheme}://127.0.0.1:{unused_port()}"


async def report(agent: CommandLine, **environ: str) -> tuple[int, dict[str, str], str]:
    """The exit status, `ok` or `failed` by what was looked at, and all that was written."""
    finished = await agent.run("doctor", **environ)
    findings = {
        what.strip(): word
        for word, what in ((line[:8].strip(), line[8:21]) for line in finished.stdout.splitlines())
        if word
    }
    return finished.status, findings, finished.stdout + finished.stderr


async def test_all_is_well(healthy: CommandLine, room_server: RoomServerUnderTest) -> None:
    status, findings, text = await report(healthy, OPENAI_API_KEY="sk-of-the-tests")
    assert status == 0, text
    assert findings == dict.fromkeys(("settings", "room server", "clock", "model", "weather"), "ok")
    assert room_server.url in text
    assert room_server.api_secret not in text
    assert "sk-of-the-tests" not in text


@pytest.mark.lengthy
async def test_the_port_of_the_health_pages(healthy: CommandLine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        asked = {"HTTP_HOST": "127.0.0.1", "HTTP_PORT": port, "OPENAI_API_KEY": "sk-of-the-tests"}
        status, findings, text = await report(healthy, **asked)
    assert status == 0, text
    assert findings["health port"] == "failed"
    assert f"127.0.0.1:{port}" in text
    status, findings, text = await report(healthy, **asked)
    assert findings["health port"] == "ok", text


@pytest.mark.lengthy
async def test_a_required_service_that_does_not_answer(healthy: CommandLine) -> None:
    status, findings, text = await report(
        healthy, LIVEKIT_URL=nowhere("ws"), OPENAI_BASE_URL=nowhere("http")
    )
    assert status == 1
    assert findings["room server"] == findings["model"] == "failed"
    assert "check LIVEKIT_URL" in text
    assert "check OPENAI_BASE_URL" in text
    assert "not right: room server, model" in text


async def refuse(_: web.Request) -> web.StreamResponse:
    return web.Response(status=401)


async def test_wrong_keys(healthy: CommandLine) -> None:
    service = web.Application()
    service.router.add_get("/v1/models", refuse)
    async with TestServer(service) as model:
        status, findings, text = await report(
            healthy,
            LIVEKIT_API_SECRET="not the secret, but long enough to be one",  # noqa: S106 - none
            OPENAI_BASE_URL=str(model.make_url("/v1")),
            OPENAI_API_KEY="the wrong one",
        )
    assert status == 1
    assert findings["room server"] == findings["model"] == "failed"
    assert "check LIVEKIT_API_KEY" in text
    assert "check OPENAI_API_KEY" in text
    assert "wrong one" not in text


@pytest.mark.lengthy
@pytest.mark.parametrize(("seconds", "where"), [(600, "behind"), (-600, "ahead of")])
async def test_a_clock_that_differs_from_the_room_servers(
    healthy: CommandLine, seconds: int, where: str
) -> None:
    async def no_rooms(_: web.Request) -> web.StreamResponse:
        there = formatdate(time.time() + seconds, usegmt=True)
        return web.Response(headers={"Date": there}, content_type="application/protobuf")

    service = web.Application()
    service.router.add_route("*", "/{path:.*}", no_rooms)
    async with TestServer(service) as server:
        url = str(server.make_url("")).replace("http", "ws")
        status, findings, text = await report(
            healthy, LIVEKIT_URL=url, OPENAI_API_KEY="sk-of-the-tests"
        )
    assert (status, findings["room server"], findings["clock"]) == (0, "ok", "failed"), text
    assert re.search(rf"(599|60\d) s {where} the room server's", text)


async def model_line(agent: CommandLine, **environ: str) -> tuple[str, str]:
    """`ok` or `failed`, and all that was written."""
    _, findings, text = await report(agent, OPENAI_API_KEY="sk-of-the-tests", **environ)
    assert "sk-of-the-tests" not in text
    return findings["model"], text


def json_error(message: str, status: int) -> RawAnswer:
    body = json.dumps({"error": {"message": message}})
    return RawAnswer(body.encode(), status, "application/json")


@pytest.mark.lengthy
async def test_the_model_is_asked_for_a_word(healthy: CommandLine) -> None:
    async with RawModel() as model:
        word, text = await model_line(healthy, OPENAI_BASE_URL=model.base_url, LLM_MODEL="demo")

    assert word == "ok"
    assert "demo answers" in text
    assert model.requests[0].body["tools"]


@pytest.mark.lengthy
async def test_a_base_url_without_v1(healthy: CommandLine) -> None:
    async with RawModel() as model:
        whole = model.base_url
        word, text = await model_line(healthy, OPENAI_BASE_URL=whole.removesuffix("/v1"))

    assert word == "failed"
    assert f"OPENAI_BASE_URL lacks /v1: set it to {whole}" in text


async def test_a_model_that_the_service_does_not_have(healthy: CommandLine) -> None:
    async with RawModel(json_error("The model `big` does not exist", 404)) as model:
        word, text = await model_line(healthy, OPENAI_BASE_URL=model.base_url, LLM_MODEL="big")

    assert word == "failed"
    assert "status 404: The model `big` does not exist" in text
    assert "set LLM_MODEL: the service has no big, but demo" in text


async def test_a_key_that_is_refused(healthy: CommandLine) -> None:
    async with RawModel(json_error("Incorrect API key: sk-of-the-tests", 401)) as model:
        word, text = await model_line(healthy, OPENAI_BASE_URL=model.base_url)

    assert word == "failed"
    assert "Incorrect API key: ***" in text
    assert "check OPENAI_API_KEY" in text


@pytest.mark.lengthy
async def test_the_query_of_a_base_url_is_kept_and_not_shown(healthy: CommandLine) -> None:
    async with RawModel(prefix="/openai/deployments/gpt") as model:
        url = f"{model.base_url}?api-version=2024-10-21"
        word, text = await model_line(healthy, OPENAI_BASE_URL=url)

    assert word == "ok", text
    assert "2024-10-21" not in text
    request = model.requests[0]
    assert (dict(request.query), request.headers["api-key"]) == (
        {"api-version": "2024-10-21"},
        "sk-of-the-tests",
    )


@pytest.mark.lengthy
async def test_refused_fields_are_named(healthy: CommandLine) -> None:
    async with RawModel(json_error("gemma:2b does not support tools", 400)) as model:
        word, text = await model_line(healthy, OPENAI_BASE_URL=model.base_url)

    assert word == "ok", text
    assert "the service refuses tools" in text
    assert "the model will call no tools" in text


@pytest.mark.lengthy
async def test_a_page_in_place_of_a_model(healthy: CommandLine) -> None:
    async with RawModel(RawAnswer(b"<html></html>", kind="text/html")) as model:
        word, text = await model_line(healthy, OPENAI_BASE_URL=model.base_url, LLM_MODEL="demo")

    assert word == "failed"
    assert "check OPENAI_BASE_URL" in text


async def test_the_agent_works_without_weather(healthy: CommandLine) -> None:
    status, findings, text = await report(healthy, WEATHER_GEOCODING_URL=nowhere("http"))
    assert status == 0
    assert findings["weather"] == "failed"
    assert "WEATHER_GEOCODING_URL" in text


async def test_nothing_is_configured(bare: CommandLine) -> None:
    status, findings, text = await report(bare, WEATHER_GEOCODING_URL=nowhere("http"))
    assert status == 1
    assert findings["settings"] == findings["room server"] == "failed"
    assert "python -m agent dev" in text


@pytest.mark.lengthy
async def test_settings_that_are_wrong(healthy: CommandLine) -> None:
    status, findings, text = await report(healthy, LLM_TIMEOUT="never")
    assert (status, findings) == (1, {"settings": "failed"})
    assert "LLM_TIMEOUT: expected" in text
