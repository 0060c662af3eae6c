"""A call that may have been made before a crash is made again, or told to the model as unknown."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent.history.leases import LeaseHolder
from agent.history.open_history import open_history
from devserver.model import DemoModel, Reply, tool_call
from tests.agent.chat_client import AGENT
from tests.agent.conftest import Enter, StartWorker
from tests.agent.host.test_admission import rooms_held
from tests.agent.outages import MissingSqlite
from tests.agent.tool_calls.test_approval import Person
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
    rooms = rooms_held(worker)
    asked = await alice.say("tea, please")
    async with asyncio.timeout(20):
        await begun.wait()
    model.script(Reply(tool_calls=(ORDER,)), Reply(tokens=["As you wish"]))
    # Another worker takes the room over, and is gone at once.
    history = open_history(worker.settings.database_url)
    sid = await alice.room.sid
    await history.leases.beat(LeaseHolder("other", "", "", 0), 30)
    await history.leases.take(AGENT, sid, "other", by_force=True)
    async with asyncio.timeout(20):
        assert await rooms.get() == 0
    await history.leases.give_back(AGENT, sid, "other", left=False)
    await history.aclose()

    assert (await alice.answer_to(asked)).text == "As you wish"
    told = model.requests[-1].raw.decode()
    assert made == ["tea"] * (1 if retry == "never" else 2)
    # Nobody is asked to approve what is not done again.
    assert len(person.asked) == (1 if needs_approval else 0)
    assert ("Its outcome is unknown" in told) is (retry == "never")


async def test_what_cannot_be_noted_is_not_done(
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


def test_what_needs_approval_is_not_done_twice() -> None:
    def order_tea() -> str:
        """Orders tea."""
        return "ordered"

    assert tool(needs_approval=True)(order_tea).retry == "never"
    assert tool(needs_approval=True, retry="safe")(order_tea).retry == "safe"
    assert tool(order_tea).retry == "safe"
