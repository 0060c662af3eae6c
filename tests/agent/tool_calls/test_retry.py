"""A call that may have been made before a crash is made again, or told to the model as unknown."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent.history.leases import LeaseHolder
from agent.history.open_history import open_history
from devserver.model import DemoModel, Reply, tool_call
from tests.agent.chat_client import AGENT, ChatClient
from tests.agent.conftest import Enter, StartWorker, Worker
from tests.agent.outages import MissingSqlite
from tests.agent.rooms_held import rooms_held
from tests.agent.talk import Talk
from tests.agent.tool_calls.test_approval import Person, told
from toolkit import tool
from toolkit.tool import Retry

ORDER = tool_call("orderTea")


@pytest.mark.parametrize(
    ("retry", "needs_approval"), [("never", False), ("never", True), ("safe", False)]
)
async def test_a_turn_that_runs_again(
    *,
    retry: Retry,
    needs_approval: bool,
    start_worker: StartWorker,
    enter: Enter,
    model: DemoModel,
) -> None:
    made: list[str] = []
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    @tool(retry=retry, needs_approval=needs_approval)
    async def order_tea() -> str:
        """Orders tea."""
        made.append("tea")
        loop.call_soon_threadsafe(begun.set)
        if len(made) == 1:
            await asyncio.Event().wait()
        return "ordered"

    worker = await start_worker(tools=[order_tea])
    alice = await enter("alice", worker=worker)
    person = Person(alice, '{"approved": true}')
    model.script(Reply(tool_calls=(ORDER,)))
    asked = await alice.say("tea, please")
    async with asyncio.timeout(20):
        await begun.wait()
    model.script(Reply(tool_calls=(ORDER,)), Reply(tokens=["As you wish"]))
    await lose_the_room(worker, alice)

    assert (await alice.answer_to(asked)).text == "As you wish"
    read = model.requests[-1].raw.decode()
    assert made == ["tea"] * (1 if retry == "never" else 2)
    # Nobody is asked to approve what is not done again.
    assert len(person.asked) == (1 if needs_approval else 0)
    assert ("Its outcome is unknown" in read) is (retry == "never")


@pytest.mark.parametrize("how", ["regenerate", "editMessage"])
async def test_an_answer_that_is_asked_for_again_calls_again_and_its_crash_does_not(
    *, how: str, start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    made: list[str] = []
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    @tool(retry="never")
    async def order_tea() -> str:
        """Orders tea."""
        made.append("tea")
        if len(made) == 3:
            loop.call_soon_threadsafe(begun.set)
            await asyncio.Event().wait()
        return f"ordered {len(made)}"

    worker = await start_worker(tools=[order_tea])
    alice = Talk(await enter("alice", worker=worker))
    order = Reply(tool_calls=(ORDER,))
    again = {"text": "tea again, please"} if how == "editMessage" else {}
    model.script(order, Reply(tokens=["Here"]), order, Reply(tokens=["Here again"]), order)
    asked = await alice.say("tea, please")
    await alice.answered(asked)
    await alice.call(how, messageId=asked, **again)
    await alice.answered(asked, times=2)
    assert told(model) == "ordered 2"
    await alice.call(how, messageId=asked, **again)
    async with asyncio.timeout(20):
        await begun.wait()
    model.script(order, Reply(tokens=["As you wish"]))
    await lose_the_room(worker, alice.client)
    await alice.client.until(lambda: "Its outcome is unknown" in model.requests[-1].raw.decode())
    assert made == ["tea"] * 3


async def lose_the_room(worker: Worker, client: ChatClient) -> None:
    """Another worker takes the room over, and is gone at once."""
    rooms = rooms_held(worker)
    history = open_history(worker.settings.database_url)
    sid = await client.room.sid
    await history.leases.beat(LeaseHolder("other", "", "", 0), 30)
    await history.leases.take(AGENT, sid, "other", by_force=True)
    async with asyncio.timeout(20):
        assert await rooms.get() == 0
    await history.leases.give_back(AGENT, sid, "other", left=False)
    await history.aclose()


async def test_a_call_that_cannot_be_recorded_is_not_made(
    start_worker: StartWorker, enter: Enter, model: DemoModel, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    database = MissingSqlite(tmp_path)
    await database.begin()
    made: list[str] = []

    @tool(retry="never")
    def order_tea() -> str:
        """Orders tea."""
        made.append("tea")
        return "ordered"

    worker = await start_worker(tools=[order_tea], DATABASE_URL=database.url)
    alice = await enter("alice", worker=worker)
    model.script(Reply(tool_calls=(ORDER,)), Reply(tokens=["Sorry"]))
    assert (await alice.ask("tea, please")).text == "Sorry"
    assert made == []
    await database.end()


def test_a_call_that_needs_approval_is_not_made_twice() -> None:
    def order_tea() -> str:
        """Orders tea."""
        return "ordered"

    assert tool(needs_approval=True)(order_tea).retry == "never"
    assert tool(needs_approval=True, retry="safe")(order_tea).retry == "safe"
    assert tool(order_tea).retry == "safe"
