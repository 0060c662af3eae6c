"""The state that a conversation shares with its tools and clients, over real rooms."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from livekit import api, rtc

from agent.history.message import ThreadKey
from agent.history.open_history import open_history
from agent.state.shared_state import SharedState
from devserver.model import DemoModel, Reply, tool_call
from tests.agent.chat_client import ChatClient
from tests.agent.conftest import Enter, StartWorker, Worker
from tests.agent.replies.test_private import private_answer, told
from tests.agent.room.test_room_tasks import Failing
from tests.room_server import RoomServerUnderTest
from toolkit import ToolContext, tool

MARK = "XYZZY"


@tool
async def add_to_cart(context: ToolContext, item: str) -> dict[str, object]:
    """Add something to the cart."""
    if "items" not in await as_object(context):
        await context.state.patch({"op": "add", "path": "/items", "value": []})
    revision = await context.state.patch({"op": "add", "path": "/items/-", "value": item})
    return {"revision": revision, "items": await context.state.get("/items")}


async def as_object(context: ToolContext) -> dict[str, object]:
    state = await context.state.get()
    assert isinstance(state, dict)
    return state  # pyright: ignore[reportUnknownVariableType]


@tool
async def break_state(context: ToolContext) -> str:
    """Change something that is not there."""
    await context.state.patch({"op": "remove", "path": "/none"})
    return ""


TOOLS = (add_to_cart, break_state)


async def get(client: ChatClient, **arguments: object) -> Any:  # noqa: ANN401 - any JSON
    return json.loads(await client.ask_method("getState", json.dumps(arguments)))


async def patch(client: ChatClient, *operations: object, **arguments: object) -> Any:  # noqa: ANN401 - any JSON
    given = {"patch": operations, **arguments}
    return json.loads(await client.ask_method("patchState", json.dumps(given)))


async def refused(client: ChatClient, *operations: object, **arguments: object) -> tuple[int, str]:
    with pytest.raises(rtc.RpcError) as caught:
        await patch(client, *operations, **arguments)
    return caught.value.code, caught.value.message


def add(path: str, value: object) -> dict[str, object]:
    return {"op": "add", "path": path, "value": value}


async def buy(client: ChatClient, model: DemoModel, item: str, **attributes: str) -> str:
    model.script(
        Reply(tool_calls=[tool_call("addToCart", json.dumps({"item": item}))]), Reply("Done.")
    )
    question = await client.say(f"Buy {item}", **attributes)
    await client.notice("answer.finished", inReplyTo=question)
    return question


@pytest.fixture
async def worker(start_worker: StartWorker) -> Worker:
    return await start_worker(tools=TOOLS, STATE_WRITERS="everyone")


async def test_a_tool_changes_it_and_clients_see_that(
    worker: Worker, enter: Enter, model: DemoModel
) -> None:
    alice, bob = await enter("alice", worker=worker), await enter("bob")
    assert await get(bob) == {"thread": "room", "revision": 0, "state": {}}
    await buy(alice, model, "bread")
    for client in (alice, bob):
        changed = await client.notice("state.changed", revision=2)
        assert changed["thread"] == "room"
        assert changed["patch"] == [add("/items/-", "bread")]
    assert await get(bob) == {"thread": "room", "revision": 2, "state": {"items": ["bread"]}}
    assert (await get(bob, pointer="/items/0"))["state"] == "bread"
    assert json.loads(await bob.call("addToCart", '{"item": "milk"}')) == {
        "revision": 3,
        "items": ["bread", "milk"],
    }


async def test_a_client_changes_it_where_that_is_allowed(worker: Worker, enter: Enter) -> None:
    alice = await enter("alice", worker=worker)
    assert await patch(alice, add("/a", 1)) == {"thread": "room", "revision": 1}
    assert await patch(alice, add("/a", 2), revision=1) == {"thread": "room", "revision": 2}
    assert await patch(alice, add("/a", 2)) == {"thread": "room", "revision": 2}  # no change
    assert (await refused(alice, add("/a", 3), revision=1))[0] == 409
    assert (await refused(alice, {"op": "test", "path": "/a", "value": 1}))[0] == 409
    for wrong in ({"op": "remove", "path": "/none"}, {}, add("a", 1)):
        assert (await refused(alice, add("/b", 1), wrong))[0] == 400
    assert (await refused(alice))[0] == 400
    assert (await get(alice))["state"] == {"a": 2}


@pytest.mark.parametrize(
    ("writers", "allowed"),
    [("nobody", ()), ("moderators", ("mod",)), ("everyone", ("mod", "bob"))],
)
async def test_state_writers_may_change_it(
    start_worker: StartWorker, enter: Enter, writers: str, allowed: tuple[str, ...]
) -> None:
    worker = await start_worker(STATE_WRITERS=writers)
    moderator = await enter(
        "mod", worker=worker, attributes={"role": "moderator"}, can_update_own_metadata=False
    )
    bob = await enter("bob")
    for client in (moderator, bob):
        identity = client.me.identity
        if identity in allowed:
            await patch(client, add("/a", identity))
        else:
            assert (await refused(client, add("/a", 1)))[0] == 403
        private = f"private:{identity}"
        if writers == "nobody":
            assert (await refused(client, add("/a", 1), thread=private))[0] == 403
        else:
            await patch(client, add("/a", 1), thread=private)
    assert (await refused(bob, add("/a", 1), thread="private:mod"))[0] == 404


async def test_it_is_kept_and_restored(
    start_worker: StartWorker,
    enter: Enter,
    tmp_path: Path,
    lk_api: api.LiveKitAPI,
    room_name: str,
) -> None:
    database = f"sqlite:///{tmp_path}/kept.db"
    first = await start_worker(DATABASE_URL=database, STATE_WRITERS="everyone")
    alice = await enter("alice", worker=first)
    await patch(alice, add("/naïve", ["\u2028", None]))
    former = alice.agent_sid
    await first.server.aclose()
    await alice.until(lambda: alice.agent is None)
    second = await start_worker(DATABASE_URL=database)
    request = api.CreateAgentDispatchRequest(agent_name=second.name, room=room_name)
    await lk_api.agent_dispatch.create_dispatch(request)
    await alice.until_ready_again(former)
    assert await get(alice) == {
        "thread": "room",
        "revision": 1,
        "state": {"naïve": ["\u2028", None]},
    }


async def test_it_is_stored_after_the_task_that_stores_it_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(SharedState, "_store", Failing(SharedState, "_store", 1))
    history = open_history(f"sqlite:///{tmp_path}/agent.db")
    await history.migrate()
    thread = ThreadKey("kitchen")
    state = SharedState(
        history.states, thread, max_bytes=1_000, on_change=lambda _revision, _patch: None
    )
    await state.patch(add("/a", 1))
    await state.aclose()
    assert (await history.states.load(thread)).document == '{"a":1}'
    await history.aclose()
    assert caplog.text.count("the task 'shared state' failed, restarting in") == 1


async def test_private_data_stays_private(
    worker: Worker,
    enter: Enter,
    model: DemoModel,
    room_server: RoomServerUnderTest,
    room_name: str,
) -> None:
    alice, bob = await enter("alice", worker=worker), await enter("bob")
    await bob.ask("hello everybody")
    question = await buy(alice, model, MARK, scope="private")
    await private_answer(alice, question)
    assert (await alice.notice("state.changed", revision=2))["thread"] == "private:alice"
    assert (await get(alice, thread="private:alice"))["state"] == {"items": [MARK]}
    assert (await get(alice))["state"] == {}
    with pytest.raises(rtc.RpcError, match="No such thread"):
        await get(bob, thread="private:alice")
    await bob.ask("anything new?")
    assert told(room_server.embedded, room_name, MARK, alice, bob) == {"alice"}


async def test_it_has_bounds(start_worker: StartWorker, enter: Enter) -> None:
    worker = await start_worker(STATE_WRITERS="everyone", MAX_STATE_BYTES="20000")
    alice = await enter("alice", worker=worker)
    await patch(alice, add("/a", "x" * 15_000))
    assert "patch" not in await alice.notice("state.changed", revision=1)
    assert (await refused(alice, add("/b", "x" * 15_000)))[0] == 413
    assert len((await get(alice, answerIn="packets"))["state"]["a"]) == 15_000


async def test_a_tools_bad_patch_is_its_error(
    worker: Worker, enter: Enter, model: DemoModel
) -> None:
    alice = await enter("alice", worker=worker)
    model.script(Reply(tool_calls=[tool_call("breakState")]), Reply("It failed."))
    question = await alice.say("Break it")
    finished = await alice.notice("tool.finished", inReplyTo=question)
    assert (finished["outcome"], finished["code"]) == ("error", 400)


async def test_changes_at_the_same_time_are_made_one_after_the_other(
    worker: Worker, enter: Enter
) -> None:
    alice = await enter("alice", worker=worker)
    await patch(alice, add("/list", []))
    await asyncio.gather(*(patch(alice, add("/list/-", number)) for number in range(10)))
    state = await get(alice)
    assert state["revision"] == 11
    assert sorted(state["state"]["list"]) == list(range(10))


async def test_it_is_gone_with_its_thread(worker: Worker, enter: Enter) -> None:
    alice = await enter("alice", worker=worker)
    await patch(alice, add("/a", 1), thread="private:alice")
    await alice.call("deleteThread", '{"thread": "private:alice"}')
    assert await get(alice, thread="private:alice") == {
        "thread": "private:alice",
        "revision": 2,
        "state": {},
    }
