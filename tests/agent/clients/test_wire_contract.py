"""The examples of docs/wire-contract.md do what stands beside them."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from livekit import api

from devserver.model import DemoModel, Reply, tool_call
from tests.agent.clients.conftest import Example, OpenClient
from tests.agent.clients.node import run_node
from tests.agent.clients.python_client import PythonClient
from tests.agent.conftest import Enter, StartWorker
from tests.room_server import RoomServerUnderTest
from toolkit import Data, Source, ToolContext, tool

DOCUMENT = "wire-contract.md"


async def test_the_state_of_the_agent_is_published(
    open_client: OpenClient, example: Example, model: DemoModel
) -> None:
    told = asyncio.Event()
    # Each state lasts: a short one would not be published.
    model.script(Reply(tokens=["It is ", "noon."], first_token_delay=1.0, after=1, pause=told))
    client = await open_client("ana")
    await client.run(example("Finding the agent"))
    await client.connect()
    await client.run(example("Text streams"))
    await client.console.says("thinking")
    await client.console.says("speaking")
    told.set()


@pytest.mark.parametrize("form", ["Text streams", "Data packets"])
async def test_a_message_is_answered_in_a_stream(
    open_client: OpenClient, example: Example, model: DemoModel, form: str
) -> None:
    model.script(Reply("It is noon."))
    client = await open_client("ana")
    await client.run(example("Streams to the room"))
    await client.connect()
    await client.run(example(form))
    assert "room stop It is noon." in await client.console.says("It is noon.")


async def test_a_message_is_acknowledged_as_stored(
    open_client: OpenClient, example: Example, language: str
) -> None:
    client = await open_client("ana")
    await client.connect()
    listen = {
        "js": """
room.on('dataReceived', (payload, participant, kind, topic) => {
  if (topic !== 'system') return;
  const { event, messageIds, position } = JSON.parse(new TextDecoder().decode(payload));
  if (event === 'message.stored') console.log('stored', messageIds.join(), position);
});
""",
        "python": """
def on_stored(packet):
    if packet.topic == "system":
        notice = json.loads(packet.data)
        if notice["event"] == "message.stored":
            print("stored", ",".join(notice["messageIds"]), notice["position"])

room.on("data_received", on_stored)
""",
    }
    show = {"js": "console.log('sent', id)", "python": "print('sent', message_id)"}
    await client.run(listen[language])
    await client.run(example("Sending reliably") + show[language])
    _, message = (await client.console.says("sent ")).split()
    _, stored, position = (await client.console.says("stored ")).split()
    assert stored == message
    assert int(position) > 0


async def test_parts_of_an_answer_are_read(
    open_client: OpenClient, example: Example, start_worker: StartWorker, model: DemoModel
) -> None:
    @tool
    async def cite(context: ToolContext) -> Data:
        """Cite."""
        context.show(Source("RFC 6902", "https://www.rfc-editor.org/rfc/rfc6902"))
        return Data("card", "one\u2028two\nthree")

    worker = await start_worker(tools=[cite], SHOW_REASONING="true")
    model.script(
        Reply(tokens=["<think>Let me", " see.</think>", "So:"], tool_calls=[tool_call("cite")]),
        Reply("Done."),
    )
    client = await open_client("ana", worker=worker)
    await client.run(example("Parts"))
    await client.connect()
    await client.run(example("Text streams"))
    await client.console.says("part reasoning")
    await client.console.says("part tool-call cite")
    await client.console.says("part source https://www.rfc-editor.org/rfc/rfc6902")
    await client.console.says("part data card")


async def test_the_shared_state_is_read_again_when_it_changes(
    open_client: OpenClient, example: Example, start_worker: StartWorker, enter: Enter
) -> None:
    worker = await start_worker(STATE_WRITERS="everyone")
    client = await open_client("ana", worker=worker)
    await client.connect()
    await client.run(example("Shared state"))
    await client.console.says("state 0 {}")
    bob = await enter("bob", worker=worker)
    patch = [{"op": "add", "path": "/a", "value": 1}]
    await bob.call("patchState", json.dumps({"patch": patch}))
    await client.console.says('state 1 {"a":1}')


async def test_a_private_question_is_answered_in_packets(
    open_client: OpenClient, example: Example, model: DemoModel
) -> None:
    model.script(Reply("Between us, noon."))
    client = await open_client("ana")
    await client.connect()
    await client.run(example("Asking"))
    assert " 0 Between us, noon." in await client.console.says("Between us, noon.")


async def test_refusals_are_reported(
    open_client: OpenClient, example: Example, start_worker: StartWorker
) -> None:
    client = await open_client("ana", worker=await start_worker(MAX_MESSAGE_BYTES="10"))
    await client.run(example("System packets"))
    await client.connect()
    await client.run(example("Text streams"))
    assert "413" in await client.console.says("A message may have 10 bytes.")


async def test_a_method_is_called(open_client: OpenClient, example: Example) -> None:
    client = await open_client("ana")
    await client.connect()
    await client.run(example("RPC methods"))
    now = await client.console.says(f"{datetime.now(ZoneInfo('Europe/Paris')):%Y-%m-%dT}")
    assert datetime.fromisoformat(now).tzinfo is not None


async def test_a_long_answer_is_put_together(
    open_client: OpenClient, example: Example, language: str
) -> None:
    client = await open_client("ana")
    await client.connect()
    call = {
        "js": "console.log((await callMethod('riskyOperation', "
        "{data: 'x'.repeat(40_000), answerIn: 'packets'})).length)",
        "python": "print(len(await call_method("
        "'riskyOperation', {'data': 'x' * 40_000, 'answerIn': 'packets'})))",
    }
    await client.run(example("Answers in packets") + call[language])
    await client.console.says('{"messages":[]}')
    await client.console.says("pong")
    await client.console.says(str(len('{"success":true,"result":""}') + 40_000))


async def test_a_long_answer_comes_in_the_response(
    open_client: OpenClient, example: Example, language: str
) -> None:
    client = await open_client("ana")
    await client.connect()
    call = {
        "js": """
for (const size of [15_000, 60_000]) {
  const answer = await room.localParticipant.performRpc({ destinationIdentity: agent,
    method: 'riskyOperation', payload: JSON.stringify({ data: 'x'.repeat(size) }) });
  console.log(answer.length);
}
""",
        "python": """
for size in (15_000, 60_000):
    answer = await room.local_participant.perform_rpc(destination_identity=agent,
        method="riskyOperation", payload=json.dumps({"data": "x" * size}))
    print(len(answer))
""",
    }
    await client.run(call[language])
    for size in (15_000, 60_000):
        await client.console.says(str(len('{"success":true,"result":""}') + size))


async def test_a_backend_calls_a_method(
    open_client: OpenClient,
    example: Example,
    language: str,
    room_server: RoomServerUnderTest,
    room_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await (await open_client("ana")).connect()
    backend = example("Calls by the server's API").replace("demo", room_name)
    if language == "js":
        values = (room_server.http_url, room_server.api_key, room_server.api_secret)
        names = f"const [host, apiKey, apiSecret] = {json.dumps(values)};"
        told = await run_node(names + backend)
    else:
        monkeypatch.setenv("LIVEKIT_URL", room_server.http_url)
        monkeypatch.setenv("LIVEKIT_API_KEY", room_server.api_key)
        monkeypatch.setenv("LIVEKIT_API_SECRET", room_server.api_secret)
        client = PythonClient("", "")
        await client.run(backend)
        told = await client.console.says("T")
    assert datetime.fromisoformat(told.strip()).tzinfo is not None


async def test_a_backend_has_the_agent_say_something(
    example: Example,
    language: str,
    room_server: RoomServerUnderTest,
    room_name: str,
    enter: Enter,
    start_worker: StartWorker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ana = await enter("ana", worker=await start_worker())
    backend = example("What a backend has the agent do").replace("demo", room_name)
    if language == "js":
        values = (room_server.http_url, room_server.api_key, room_server.api_secret)
        names = f"const [host, apiKey, apiSecret] = {json.dumps(values)};"
        told = await run_node(names + backend)
    else:
        monkeypatch.setenv("LIVEKIT_URL", room_server.http_url)
        monkeypatch.setenv("LIVEKIT_API_KEY", room_server.api_key)
        monkeypatch.setenv("LIVEKIT_API_SECRET", room_server.api_secret)
        client = PythonClient("", "")
        await client.run(backend)
        told = await client.console.says("")
    assert told.strip().isdigit()
    await ana.until(lambda: ana.received("Your order has left."))


async def test_the_history_is_read(
    open_client: OpenClient, example: Example, model: DemoModel, language: str
) -> None:
    model.script(Reply("It is noon."))
    client = await open_client("ana")
    await client.run(example("Streams to the room"))
    await client.connect()
    await client.run(example("Text streams"))
    await client.console.says("It is noon.")
    show = {
        "js": "console.log(page.messages.map(({ role }) => role).join())",
        "python": "print(','.join(message['role'] for message in page['messages']))",
    }
    await client.run(example("The history") + show[language])
    await client.console.says("user,assistant")


async def test_a_message_is_edited_and_deleted(
    open_client: OpenClient, example: Example, language: str
) -> None:
    client = await open_client("ana")
    await client.run(example("Streams to the room"))
    await client.connect()
    await client.run(example("Text streams"))
    await client.console.says("room stop")
    change = {
        "js": """
            const [{ id }] = (await call('getHistory')).messages;
            await call('editMessage', { messageId: id, text: 'In Oslo?' });
            await call('deleteMessage', { messageId: id });
        """,
        "python": """
message = (await call("getHistory"))["messages"][0]["id"]
await call("editMessage", messageId=message, text="In Oslo?")
await call("deleteMessage", messageId=message)
""",
    }
    await client.run(example("Changing what was said") + change[language])
    assert "edited ana" in await client.console.says("In Oslo?")
    await client.console.says("deleted ana")


async def test_a_dispatch_may_have_metadata(
    example: Example,
    language: str,
    room_server: RoomServerUnderTest,
    lk_api: api.LiveKitAPI,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if language == "js":
        values = (room_server.http_url, room_server.api_key, room_server.api_secret)
        names = f"const [host, apiKey, apiSecret] = {json.dumps(values)};"
        await run_node(names + example("Metadata"))
    else:
        monkeypatch.setenv("LIVEKIT_URL", room_server.http_url)
        monkeypatch.setenv("LIVEKIT_API_KEY", room_server.api_key)
        monkeypatch.setenv("LIVEKIT_API_SECRET", room_server.api_secret)
        await PythonClient("", "").run(example("Metadata"))
    dispatches = await lk_api.agent_dispatch.list_dispatch("demo")
    # The server may have dispatched agents without a name, too.
    (dispatch,) = [each for each in dispatches if each.agent_name == "support"]
    assert json.loads(dispatch.metadata)["language"] == "French"
    await lk_api.room.delete_room(api.DeleteRoomRequest(room="demo"))


async def test_a_tool_is_approved(
    open_client: OpenClient,
    example: Example,
    start_worker: StartWorker,
    model: DemoModel,
    language: str,
) -> None:
    @tool(needs_approval=True)
    async def send_mail(to: str) -> str:
        """Send a mail."""
        return f"sent to {to}"

    client = await open_client("ana", worker=await start_worker(tools=[send_mail]))
    yes = {
        "js": "window.confirm = (question) => { console.log(question); return true; };",
        "python": "def input(question):\n    print(question)\n    return 'y'",
    }
    await client.connect()
    await client.run(yes[language])
    await client.run(example("Approving tools"))
    model.script(Reply(tool_calls=[tool_call("sendMail", '{"to":"bob"}')]), Reply("Sent."))
    await client.run(example("Streams to the room"))
    await client.run(example("Text streams"))
    assert "bob" in await client.console.says("sendMail")
    await client.console.says("Sent.")
    ((_, told),) = model.requests[-1].chat.tool_results
    assert told == "sent to bob"


async def test_a_tool_asks_a_question(
    open_client: OpenClient,
    example: Example,
    language: str,
    model: DemoModel,
    start_worker: StartWorker,
) -> None:
    @tool
    async def book(context: ToolContext) -> str:
        """Book a table."""
        guests = {"type": "integer"}
        form = {"type": "object", "properties": {"guests": guests}, "required": ["guests"]}
        answer = await context.elicit("For how many?", form)
        return f"{answer.action} {answer.content}"

    client = await open_client("ana", worker=await start_worker(tools=[book]))
    four = {
        "js": "window.prompt = (question) => { console.log(question); return '4'; };",
        "python": "def input(question):\n    print(question)\n    return '4'",
    }
    await client.connect()
    await client.run(four[language])
    await client.run(example("Questions of tools"))
    model.script(Reply(tool_calls=[tool_call("book", "{}")]), Reply("Booked."))
    await client.run(example("Streams to the room"))
    await client.run(example("Text streams"))
    assert "book: For how many?" in await client.console.says("For how many?")
    await client.console.says("Booked.")
    ((_, told),) = model.requests[-1].chat.tool_results
    assert told == "accept {'guests': 4}"


async def test_a_method_of_the_client_is_called(
    open_client: OpenClient, example: Example, model: DemoModel
) -> None:
    client = await open_client("ana", can_update_own_metadata=True)
    await client.run(example("Streams to the room"))
    await client.connect()
    await client.run(example("Methods of clients"))
    # Attributes and messages reach the agent on different ways: the second message comes later.
    model.script(Reply("Hello."))
    await client.run(example("Text streams"))
    await client.console.says("Hello.")
    model.script(Reply(tool_calls=[tool_call("getLocation", "{}")]), Reply("In Paris."))
    await client.run(example("Text streams"))
    await client.console.says("In Paris.")
    ((_, told),) = model.requests[-1].chat.tool_results
    assert told.endswith('"Paris"}')
