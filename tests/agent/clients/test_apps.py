"""Third-party apps talk with the agent unchanged: the whole code of apps.md."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path

import pytest
from livekit import api

from devserver.model import DemoModel, Reply
from tests.agent.clients import document
from tests.agent.clients.conftest import Example, OpenClient
from tests.agent.clients.example_client import ExampleClient
from tests.agent.clients.node import run_node
from tests.agent.conftest import Enter, StartWorker, Worker
from tests.room_server import RoomServerUnderTest
from tests.tools.open_meteo_server import OpenMeteoServer

DOCUMENT = str(Path(__file__).with_name("apps.md"))
LOREM = "Lorem ipsum dolor sit amet..."

SEES_USER_1 = """
while (!room.remoteParticipants.has('user-1'))
  await new Promise((next) => room.once('participantConnected', next));
"""
"""Ends when the room server has announced user-1 to the app, and so to the agent."""

only_js = pytest.mark.parametrize("language", ["js"])


@pytest.fixture
async def worker(start_worker: StartWorker) -> Worker:
    return await start_worker()


@pytest.fixture
async def client(open_client: OpenClient, worker: Worker) -> ExampleClient:
    client = await open_client("ana", name="Ana A.", worker=worker)
    await client.connect()
    return client


async def test_packets(
    client: ExampleClient, example: Example, model: DemoModel, enter: Enter, worker: Worker
) -> None:
    model.script(Reply("Hello, Ana."))
    user_1 = await enter("user-1", worker=worker)
    await client.run(example("Packets"))
    await client.console.says("agent: Hello, Ana.")
    await user_1.until(lambda: user_1.received("Private message"))
    assert len(model.requests) == 1


@only_js
@pytest.mark.parametrize(
    ("app", "shown"),
    [
        ("A chat class", "Agent: Hello, Ana. 1"),
        ("A listener that comes and goes", "agent: Hello, Ana."),
        ("Topics", "agent says Hello, Ana."),
        ("A channel manager", "Chat from Agent: Hello, Ana."),
    ],
)
async def test_an_app_shows_the_answer(
    client: ExampleClient, example: Example, model: DemoModel, app: str, shown: str
) -> None:
    model.script(Reply("Hello, Ana."))
    await client.run(example(app))
    await client.console.says(shown)
    assert not [line for line in client.console.lines if "arse" in line], "nothing failed to parse"


@only_js
async def test_topics_reach_the_agent_and_people(
    client: ExampleClient, example: Example, enter: Enter, worker: Worker
) -> None:
    user_1 = await enter("user-1", worker=worker)
    await client.run(SEES_USER_1)
    await client.run(example("Topics"))
    await user_1.notice("reactions.changed", messageId="msg-123", emoji="👍")
    assert json.loads(await user_1.call("getWhiteboard"))["elements"][0]["id"] == "s1"
    async with asyncio.timeout(20):
        while not json.loads(await user_1.call("getCursors"))["cursors"]:
            await client.run("await send(topics.CURSOR, { x: 0.25, y: 0.75 }, false);")
    await user_1.send_packet({"topic": "cursor", "payload": {"x": 7, "y": 1}})
    await client.console.says("user-1 is at 7")
    reaction = {"emoji": "🎉", "targetMessageId": "msg-123"}
    await user_1.send_packet({"topic": "reactions", "payload": reaction})
    await client.console.says("reaction 🎉")
    assert user_1.notices("error") == []


@only_js
async def test_a_channel_manager(
    client: ExampleClient, example: Example, model: DemoModel, enter: Enter, worker: Worker
) -> None:
    user_1 = await enter("user-1", worker=worker)
    await client.run(example("A channel manager"))
    await client.console.says("pong 1")
    await user_1.until(lambda: user_1.received("Private message"))
    pong = await user_1.me.perform_rpc(destination_identity="ana", method="ping", payload="{}")
    assert json.loads(pong)["pong"] > 1_700_000_000_000
    (asked,) = [
        body["id"] for _, body in user_1.packets if body.get("content") == "Hello everyone!"
    ]
    reaction = {"type": "reaction", "content": {"emoji": "👍", "targetMessageId": asked}}
    await client.run(SEES_USER_1)
    await user_1.send_packet(reaction)
    await client.console.says("Reaction: 👍")
    await client.console.says("Agent tells reactions.changed")
    assert [each.chat.user_text for each in model.requests] == ["Hello everyone!"]


@only_js
async def test_a_text_stream_between_people_is_theirs(
    client: ExampleClient, example: Example, model: DemoModel, enter: Enter, worker: Worker
) -> None:
    user_1 = await enter("user-1", worker=worker)
    await client.run(example("A text stream of one's own"))
    stream = await user_1.heard()
    assert (stream.sender, stream.topic, stream.text) == ("ana", "llm-response", "Lorem ipsum")
    assert user_1.notices("error") == []
    assert len(model.requests) == 0


async def test_text_streams(client: ExampleClient, example: Example, model: DemoModel) -> None:
    model.script(Reply("It is noon."), Reply("It is one."))
    await client.run(example("Text streams"))
    await client.console.says("Sent text with stream ID: ")
    await client.console.says("Closed text stream with ID: ")
    assert "from agent" in await client.console.says("Receiving llm-response")
    await client.console.says("Chunk: It is noon.")
    await client.console.says("Stream complete")
    await client.console.says("Received text: It is one.")
    assert [each.chat.user_text for each in model.requests] == [LOREM, LOREM]


async def test_text_streams_in_node(
    worker: Worker, model: DemoModel, room_server: RoomServerUnderTest, room_name: str
) -> None:
    model.script(Reply("It is noon."), Reply("It is one."))
    (program,) = document.examples(DOCUMENT, "mjs")["Text streams"]
    dispatch = api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name=worker.name)])
    token = room_server.access_token("ana", room_name).with_room_config(dispatch)
    output = await run_node(program, LIVEKIT_URL=room_server.url, LIVEKIT_TOKEN=token.to_jwt())
    for text in ("It is noon.", "It is one."):
        assert f"Chunk: {text}" in output
        assert f"Received text: {text}" in output
    assert output.count("Stream complete") == 2
    assert [each.chat.user_text for each in model.requests] == [LOREM, LOREM]


@only_js
async def test_byte_streams(
    client: ExampleClient, example: Example, enter: Enter, worker: Worker
) -> None:
    user_1 = await enter("user-1", worker=worker)
    await client.run(SEES_USER_1)
    await client.run(example("Byte streams"))
    sha256 = hashlib.sha256(b"some notes").hexdigest()
    stored = worker.settings.attachments_dir / sha256[:2] / sha256
    files: list[dict[str, str]] = []
    async with asyncio.timeout(20):
        while not files:
            messages = json.loads(await user_1.call("getHistory"))["messages"]
            files = [file for each in messages for file in each.get("attachments", [])]
    assert stored.read_bytes() == b"some notes"
    send_back = json.dumps({"fileId": files[0]["id"]})
    await client.run(f"""
        await room.localParticipant.performRpc({{
          destinationIdentity: agent, method: 'sendFile', payload: '{send_back}',
        }});
    """)
    assert (await client.console.says("File received: ")).endswith("some notes")


@only_js
async def test_methods(
    open_client: OpenClient, example: Example, start_worker: StartWorker
) -> None:
    async with OpenMeteoServer() as weather:
        worker = await start_worker(
            WEATHER_GEOCODING_URL=weather.settings.weather_geocoding_url,
            WEATHER_FORECAST_URL=weather.settings.weather_forecast_url,
        )
        client = await open_client("ana", worker=worker)
        await client.connect()
        await client.run(example("Methods").replace("New York", "Paris"))  # the one it knows
    await client.console.says("Weather: ")
    await client.console.says("Time: true")
    await client.console.says("RPC Error 500: Operation failed")


def test_every_app_is_run() -> None:
    test = Path(__file__).read_text()
    headings = document.examples(DOCUMENT, "js")
    assert {heading for heading in headings if f'"{heading}"' not in test} == set()
