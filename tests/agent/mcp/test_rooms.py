"""Tools of MCP servers in rooms: for the model, and by RPC where that is allowed."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import cast

import pytest
from livekit import rtc

from agent.host import room_host
from agent.mcp import connection
from devserver.model import DemoModel, Reply, tool_call
from tests.agent.chat_client import ChatClient
from tests.agent.conftest import Enter, StartWorker
from tests.agent.mcp.programs import ODD_SERVER, SERVER, free_port, is_running, served
from tests.agent.tool_calls.test_approval import Person, told
from toolkit.tool import tool
from tools import TOOLS


def servers(**settings: object) -> str:
    """The setting with the one server, as `calc`."""
    return json.dumps({"calc": {"command": sys.executable, "args": [SERVER], **settings}})


async def until_callable(client: ChatClient, method: str) -> None:
    await client.until(
        lambda: (
            client.agent is not None and method in client.agent.attributes["agent.ready"].split(",")
        )
    )


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "FIRST_DELAY", 0.05)
    monkeypatch.setattr(room_host, "PATIENCE", 20.0)


async def test_the_model_has_the_tools_and_callers_those_that_the_setting_names(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(MCP_SERVERS=servers(rpc=["add"]))
    alice = await enter("alice", worker=worker)
    await until_callable(alice, "calc_add")
    assert alice.agent is not None
    ready = alice.agent.attributes["agent.ready"].split(",")
    assert "calc_add" in ready
    assert "calc_fail" not in ready
    described = json.loads(await alice.call("describeTools"))["tools"]
    (add,) = [each for each in described if each["name"].startswith("calc_")]
    assert add["description"] == "Add two numbers."
    assert set(add["parameters"]["properties"]) == {"a", "b"}

    assert await alice.call("calc_add", '{"a": 1, "b": 2}') == "3"
    with pytest.raises(rtc.RpcError) as caught:
        await alice.call("calc_add", '{"a": "1", "b": 2}')
    assert caught.value.code == 400
    assert json.loads(caught.value.data or "")["fields"] == {"a": "should be of type integer"}

    model.script(Reply(tool_calls=[tool_call("calc_fail", "{}")]), Reply("It failed."))
    await alice.ask("Try")
    assert "calc_add" in model.requests[-1].chat.offered_tools
    ((_, told),) = model.requests[-1].chat.tool_results
    assert told == "Error executing tool fail"


async def test_a_bad_description_of_one_tool_does_not_affect_the_others(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    nothing: dict[str, object] = {}
    pages = [
        {"name": "bare", "inputSchema": {"type": "object"}, "outputSchema": {"type": "object"}},
        {"name": "broken", "inputSchema": nothing},
    ]
    half = '{"content": [{"type": "text", "text": "half \\ud83d end"}]}'
    odd = json.dumps({"pages": [pages], "results": {"bare": half}})
    setting = {"odd": {"command": sys.executable, "args": [ODD_SERVER, odd], "rpc": True}}
    alice = await enter("alice", worker=await start_worker(MCP_SERVERS=json.dumps(setting)))
    await until_callable(alice, "odd_bare")

    model.script(Reply(tool_calls=[tool_call("odd_bare", "{}")]), Reply("Done."))
    assert (await alice.ask("Go")).text == "Done."
    tools = cast("list[dict[str, dict[str, object]]]", model.requests[-1].body["tools"])
    offered = {each["function"]["name"]: each["function"] for each in tools}
    assert offered["odd_bare"]["parameters"] == {"type": "object", "properties": nothing}
    assert "odd_broken" not in offered
    ((_, told),) = model.requests[-1].chat.tool_results
    assert told == "half \ufffd end"
    assert await alice.call("odd_bare") == "half \ufffd end"


async def test_all_rooms_of_a_worker_share_one_connection(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(MCP_SERVERS=servers(rpc=True))
    alice = await enter("alice", worker=worker)
    bob = await enter("bob", room="another")
    await until_callable(bob, "calc_process_id")
    process = await alice.call("calc_process_id")
    assert await bob.call("calc_process_id") == process
    await worker.server.aclose()
    assert not is_running(int(process))


async def test_a_tool_that_needs_approval_by_the_setting(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(MCP_SERVERS=servers(approval=["die"]))
    alice = await enter("alice", worker=worker)
    model.script(
        Reply(tool_calls=[tool_call("calc_die", "{}"), tool_call("calc_add", '{"a":1,"b":2}')]),
        Reply("Well."),
    )
    await alice.ask("Try")
    told = {result for _, result in model.requests[-1].chat.tool_results}
    assert told == {
        "calc_die was not approved: the participant's app cannot ask for approval",
        "3",
    }


async def test_a_tool_that_a_role_approves_by_the_setting(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(MCP_SERVERS=servers(approval=["add"], approvers=["host"]))
    alice = await enter("alice", worker=worker)
    host = await enter("host", attributes={"role": "host"})
    asker, approver = Person(alice, '{"approved": false}'), Person(host, '{"approved": true}')
    model.script(Reply(tool_calls=[tool_call("calc_add", '{"a":1,"b":2}')]), Reply("Well."))
    await alice.ask("Try")
    assert told(model) == "3"
    assert (len(asker.asked), len(approver.asked)) == (0, 1)


async def test_a_dead_server_is_reported_to_the_model_and_the_asker(
    start_worker: StartWorker,
    enter: Enter,
    model: DemoModel,
    caplog: pytest.LogCaptureFixture,
) -> None:
    worker = await start_worker(MCP_SERVERS=servers(rpc=["die"]))
    alice = await enter("alice", worker=worker)
    model.script(Reply(tool_calls=[tool_call("calc_die", "{}")]), Reply("It is away."))
    await alice.ask("Try")
    ((_, told),) = model.requests[-1].chat.tool_results
    assert told == "The MCP server calc did not answer"
    finished = await alice.notice("tool.finished")
    assert (finished["outcome"], finished["code"]) == ("error", 503)
    assert finished["content"] == told
    assert "MCP server calc: tool call failed" in caplog.text
    with pytest.raises(rtc.RpcError) as caught:
        await alice.call("calc_die")
    assert caught.value.code == 503
    assert caught.value.message.startswith("The MCP server calc ")


async def test_a_server_that_hangs_holds_up_no_room_longer_than_its_patience(
    monkeypatch: pytest.MonkeyPatch, start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    monkeypatch.setattr(room_host, "PATIENCE", 0.5)
    monkeypatch.setattr(connection, "CONNECT_TIMEOUT", 3600.0)
    deaf = {"command": sys.executable, "args": ["-c", "import sys; sys.stdin.read()"]}
    calc = {"command": sys.executable, "args": [SERVER], "rpc": ["add"]}
    worker = await start_worker(MCP_SERVERS=json.dumps({"deaf": deaf, "calc": calc}))
    alice = await enter("alice", worker=worker)
    assert (await alice.ask("Hello?")).finish_reason == "stop"
    assert await alice.call("ping")
    await until_callable(alice, "calc_add")
    assert await alice.call("calc_add", '{"a": 1, "b": 2}') == "3"


async def test_a_call_that_hangs_ends_in_time(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(MCP_SERVERS=servers(timeout=2, rpc=True))
    alice = await enter("alice", worker=worker)
    bob = await enter("bob")
    await until_callable(bob, "calc_hang")
    call = asyncio.create_task(alice.call("calc_hang"))
    assert await bob.call("calc_add", '{"a": 1, "b": 2}') == "3"
    with pytest.raises(rtc.RpcError) as caught:
        await call
    assert caught.value.code == 504


async def test_a_server_that_comes_later_gives_its_tools_to_rooms_that_are_open(
    monkeypatch: pytest.MonkeyPatch, start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    monkeypatch.setattr(connection, "LONGEST_DELAY", 0.5)
    port = free_port()
    setting = {"calc": {"url": f"http://127.0.0.1:{port}/mcp", "rpc": ["add"]}}
    worker = await start_worker(MCP_SERVERS=json.dumps(setting))
    alice = await enter("alice", worker=worker)
    await alice.ask("Hello?")
    assert "calc_add" not in model.requests[-1].chat.offered_tools
    with pytest.raises(rtc.RpcError) as caught:
        await alice.call("calc_add", '{"a": 1, "b": 2}')
    assert caught.value.code == rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD
    async with served(port):
        await until_callable(alice, "calc_add")
        assert await alice.call("calc_add", '{"a": 1, "b": 2}') == "3"
        await alice.ask("And now?")
        assert "calc_add" in model.requests[-1].chat.offered_tools


async def test_tools_for_some_roles_are_refused_to_the_others(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(MCP_SERVERS=servers(rpc=True, roles=["moderator"]))
    alice = await enter("alice", worker=worker, attributes={"role": "moderator"})
    bob = await enter("bob")
    await until_callable(alice, "calc_add")
    assert await alice.call("calc_add", '{"a": 1, "b": 2}') == "3"
    with pytest.raises(rtc.RpcError) as caught:
        await bob.call("calc_add", '{"a": 1, "b": 2}')
    assert caught.value.code == 403
    await bob.ask("What can you do?")
    assert "calc_add" not in model.requests[-1].chat.offered_tools
    await alice.ask("And for me?")
    assert "calc_add" in model.requests[-1].chat.offered_tools


async def test_the_agents_own_tools_keep_their_names(
    start_worker: StartWorker, enter: Enter
) -> None:
    @tool(name="calc_add")
    async def our_add() -> str:
        """Add in our way."""
        return "ours"

    worker = await start_worker(tools=[*TOOLS, our_add], MCP_SERVERS=servers(rpc=True))
    alice = await enter("alice", worker=worker)
    await until_callable(alice, "calc_process_id")
    assert await alice.call("calc_add") == "ours"


async def test_a_room_can_do_without_them(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(MCP_SERVERS=servers(rpc=True))
    metadata = json.dumps({"tools": ["ping", "calc_add"]})
    alice = await enter("alice", worker=worker, metadata=metadata)
    await alice.ask("Hello?")
    # `ping` is for callers, not for the model.
    assert model.requests[-1].chat.offered_tools == {"calc_add"}
    assert json.loads(await alice.call("ping"))["pong"]
