"""The examples of docs/clients.md do what stands beside them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from livekit import api

from agent.data.topics import TOPICS
from devserver.model import DemoModel, Reply, tool_call
from tests.agent.clients import document
from tests.agent.clients.conftest import Example, OpenClient
from tests.agent.clients.example_client import ExampleClient
from tests.agent.clients.node import run_node
from tests.agent.conftest import Enter, StartWorker, Worker
from tests.agent.rpc.test_rpc import ROOM_METHODS, ROOM_TOOLS
from tests.room_server import RoomServerUnderTest
from toolkit.tool import tool

DOCUMENT = "clients.md"


@pytest.fixture
async def client(open_client: OpenClient) -> ExampleClient:
    return await open_client("ana", name="Ana A.")


async def test_joining_ends_when_the_agent_is_ready(
    client: ExampleClient, example: Example
) -> None:
    await client.run(example("Joining"))
    assert "getWeather" in await client.console.says("the agent offers")


@pytest.mark.parametrize("way", ["Asking, all at once", "Asking, piece by piece"])
async def test_a_question_is_answered(
    client: ExampleClient, example: Example, model: DemoModel, way: str
) -> None:
    model.script(Reply("It is noon."))
    await client.run(example("Reading answers"))
    await client.connect()
    await client.run(example(way))
    message_id = (await client.console.says("asked ")).removeprefix("asked ")
    assert await client.console.says("answered") == f"agent answered {message_id} It is noon."
    assert model.requests[0].chat.messages[-1].text == "What time is it in Paris?"


@pytest.mark.parametrize("language", ["python"])
async def test_the_python_client(client: ExampleClient, example: Example, model: DemoModel) -> None:
    model.script(Reply(tool_calls=[tool_call("getCurrentTime")]), Reply("It is noon."))
    await client.run(example("RoomAgent in Python"))
    await client.console.says("part tool-call getCurrentTime")
    await client.console.says("It is noon. ended with stop")


@pytest.mark.parametrize("to", ["Writing to everybody", "Writing to some"])
async def test_a_packet_is_answered_by_one(
    client: ExampleClient, example: Example, model: DemoModel, to: str
) -> None:
    model.script(Reply("Hello, Ana."))
    await client.run(example("Receiving them"))
    await client.connect()
    await client.run(example(to))
    await client.console.says("agent wrote Hello, Ana.")


async def test_a_packet_to_some_is_seen_by_nobody_else(
    client: ExampleClient, example: Example, model: DemoModel, enter: Enter
) -> None:
    model.script(Reply("Yes, between us."), Reply("And to all."))
    await client.run(example("Receiving them"))
    await client.connect()
    bob = await enter("bob")
    await client.run(example("Writing to some"))
    await client.console.says("between us")
    await bob.ask("Anything?")
    assert not bob.received("etween us")


async def test_a_tool_is_called(client: ExampleClient, example: Example) -> None:
    await client.connect()
    await client.run(example("Calling a tool"))
    assert "T" in await client.console.says("the time is ")


async def test_a_failing_tool_tells_code_and_message(
    client: ExampleClient, example: Example
) -> None:
    await client.connect()
    await client.run(example("When it fails"))
    await client.console.says("failed: 500 Operation failed")


async def test_a_method_of_a_client_can_be_called(
    client: ExampleClient, example: Example, enter: Enter
) -> None:
    await client.connect()
    await client.run(example("Being called"))
    bob = await enter("bob")
    with pytest.raises(Exception, match="Only the agent may ask"):
        await bob.me.perform_rpc(destination_identity="ana", method="getLocale", payload="")


@pytest.mark.parametrize("language", ["js"])
async def test_the_channel_class(client: ExampleClient, example: Example, model: DemoModel) -> None:
    model.script(Reply("Hello, Ana."))
    await client.connect()
    await client.run(example("A channel class"))
    await client.console.says("Agent wrote Hello, Ana.")
    await client.console.says("pong at 1")


@pytest.fixture(params=["joins after the client", "is there already"])
async def agent_arrives(
    request: pytest.FixtureRequest, enter: Enter
) -> Callable[[Worker], Awaitable[None]]:
    """Brings the agent into the room first, or leaves that to the client's token."""

    async def arrive(worker: Worker) -> None:
        if request.param == "is there already":
            await enter("bob", worker=worker)

    return arrive


async def test_in_node(
    start_worker: StartWorker,
    model: DemoModel,
    room_server: RoomServerUnderTest,
    room_name: str,
    agent_arrives: Callable[[Worker], Awaitable[None]],
) -> None:
    model.script(Reply("It is noon."))
    worker = await start_worker()
    await agent_arrives(worker)
    (program,) = document.examples(DOCUMENT, "mjs")["In Node"]
    dispatch = api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name=worker.name)])
    token = room_server.access_token("ana", room_name).with_room_config(dispatch)
    output = await run_node(program, LIVEKIT_URL=room_server.url, LIVEKIT_TOKEN=token.to_jwt())
    assert "answered It is noon." in output
    assert "pong at 1" in output


async def test_packets_files_and_methods_in_node(
    start_worker: StartWorker,
    model: DemoModel,
    room_server: RoomServerUnderTest,
    room_name: str,
    tmp_path: Path,
    agent_arrives: Callable[[Worker], Awaitable[None]],
) -> None:
    @tool(needs_approval=True)
    async def send_mail(to: str) -> str:
        """Send a mail."""
        return f"sent to {to}"

    model.script(
        Reply(tool_calls=[tool_call("getLocation", "{}")]),
        Reply(tool_calls=[tool_call("sendMail", '{"to":"bob"}')]),
        Reply("Sent."),
    )
    worker = await start_worker(tools=[send_mail])
    await agent_arrives(worker)
    (program,) = document.examples(DOCUMENT, "mjs")["Packets, files and methods in Node"]
    dispatch = api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name=worker.name)])
    token = room_server.access_token("ana", room_name, can_update_own_metadata=True)
    token = token.with_room_config(dispatch)
    notes = tmp_path / "notes"
    notes.write_text("some notes")
    output = await run_node(
        program, str(notes), LIVEKIT_URL=room_server.url, LIVEKIT_TOKEN=token.to_jwt()
    )
    said = [line for line in output.splitlines() if not line.startswith("{")]  # the SDK's log
    assert said == [
        "reaction 1",
        "file notes.txt: some notes",
        "board 1",
        "cursor here",
        "history Where am I? Mail it to Bob.",
    ]
    (_, place), (_, mail) = model.requests[-1].chat.tool_results
    assert place.endswith('"Paris"}')
    assert mail == "sent to bob"


def test_other_sdks_get_a_guide_to_every_topic_and_method() -> None:
    guide = (document.DOCS / DOCUMENT).read_text()
    section = guide[guide.index("## Other SDKs") :]
    names = [*ROOM_TOOLS, *ROOM_METHODS, *(topic.name for topic in TOPICS)]
    assert [name for name in names if f"`{name}`" not in section] == []
