"""Each of the apps in examples/, as a person talks to it."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path

import pytest

from agent import TurnStore
from agent.app.loading import load_app
from agent.client import AgentError, Approval, Decision
from agent.host import room_host
from agent.testing import AppTest, HistoryContract
from devserver.model import DemoModel, Reply, tool_call
from examples.backend_says_hello import backend_says_hello
from examples.own_history import own_history
from tests.agent.app.import_state import restored_imports
from tests.agent.app.test_unasked import unasked
from tests.agent.conftest import Enter, StartWorker
from tests.room_server import RoomServerUnderTest

EXAMPLES = Path(__file__).parents[3] / "examples"
FOLDERS = sorted(path.parent for path in EXAMPLES.glob("*/README.md"))


@pytest.fixture(autouse=True)
def imports() -> Generator[None]:
    with restored_imports(EXAMPLES):
        yield


def reference(name: str, module: str = "") -> str:
    return str(EXAMPLES / name / f"{module or name}.py")


@pytest.mark.parametrize("folder", FOLDERS, ids=[folder.name for folder in FOLDERS])
def test_it_is_short_and_has_a_readme(folder: Path) -> None:
    lines = [len(path.read_text().splitlines()) for path in folder.glob("*.py")]
    assert 0 < sum(lines) < 80
    readme = (folder / "README.md").read_text()
    assert readme.startswith("# ")
    assert len(readme.splitlines()) <= 11
    assert f"]({folder.name}/README.md)" in (EXAMPLES / "README.md").read_text()


async def test_approval_by_supervisor() -> None:
    async with AppTest(load_app(reference("approval_by_supervisor"))) as test:
        ada = await test.enter("ada")
        sam = await test.enter("sam", attributes={"role": "supervisor"})
        asked: list[Approval] = []

        async def decide(approval: Approval) -> Decision:
            asked.append(approval)
            return Decision(approval.arguments["number"] == "17", "not this one")

        sam.agent.on_approval = ada.agent.on_approval = decide
        for number, told in (
            ("17", "12 euros are paid back"),
            ("18", "refundOrder was not approved: an approver said no: not this one"),
        ):
            arguments = json.dumps({"number": number, "reason": "It is torn."})
            refund = tool_call("refundOrder", arguments)
            test.model.script(Reply(tool_calls=[refund]), Reply("There you are."))
            answer = await ada.ask(f"Please pay order {number} back")
            assert told in str(answer.calls[-1].result)
        assert [each.sender_id for each in asked] == ["ada", "ada"]
        with pytest.raises(AgentError, match="Only those who may approve refundOrder may call it"):
            await ada.agent.call("refundOrder", {"number": "18", "reason": "It is torn."})


async def test_backend_says_hello(
    start_worker: StartWorker,
    enter: Enter,
    room_server: RoomServerUnderTest,
    room_name: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LIVEKIT_URL", room_server.url)
    monkeypatch.setenv("LIVEKIT_API_KEY", room_server.api_key)
    monkeypatch.setenv("LIVEKIT_API_SECRET", room_server.api_secret)
    worker = await start_worker()
    ana = await enter("ana", worker=worker)
    bob = await enter("bob", worker=worker)
    await backend_says_hello.main(room_name, "Hello, both of you.")
    for person in (ana, bob):
        await person.until(lambda person=person: unasked(person))
    assert unasked(ana)[0].attributes["lk.segment_id"] == capsys.readouterr().out.strip()
    await backend_says_hello.main(room_name, "Your order has left.", "ana")
    await ana.until(lambda: ana.received("Your order has left."))
    with pytest.raises(RuntimeError, match="RpcError 404: eve is not in the room"):
        await backend_says_hello.main(room_name, "Hello.", "eve")


async def test_background_report(
    start_worker: StartWorker, enter: Enter, model: DemoModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = load_app(reference("background_report"))
    [make_report] = app.tools
    monkeypatch.setitem(make_report.function.__globals__, "SECONDS_A_QUARTER", 0.25)
    alice = await enter("alice", worker=await start_worker(app=app))
    report = Reply(tool_calls=[tool_call("makeReport", '{"department": "books"}')])
    model.script(report, Reply("I am on it."), Reply("58 books were sold."))
    assert (await alice.ask("How do books sell?")).text == "I am on it."
    progress = await alice.notice("tool.progress")
    assert progress["content"] == "Quarter 1 of 4"
    [told] = await alice.until(lambda: unasked(alice))
    assert told.text == "58 books were sold."
    assert any('"sold":58' in message.text for message in model.requests[-1].chat.messages)
    stored = json.loads(await alice.call("getHistory"))["messages"][-1]
    assert [part["name"] for part in stored["parts"]] == ["chart"]
    model.script(
        Reply(tool_calls=[tool_call("makeReport", '{"department": "shoes"}')]), Reply("Not shoes.")
    )
    await alice.ask("And shoes?")
    assert any("There is no department" in each.text for each in model.requests[-1].chat.messages)


async def test_guardrails(start_worker: StartWorker, enter: Enter, model: DemoModel) -> None:
    worker = await start_worker(app=load_app(reference("guardrails")))
    alice = await enter("alice", worker=worker)
    refused = await alice.ask("My card is 4111 1111 1111 1111")
    assert refused.text.startswith("Please do not write card numbers here.")
    assert len(model.requests) == 0
    model.script(Reply(tokens=["Yours is 4111 ", "1111 11", "11 1111", ", of 2 cards."]))
    assert (await alice.ask("Which card?")).text == "Yours is ****, of 2 cards."


async def test_handoff() -> None:
    async with AppTest(load_app(reference("handoff"))) as test:
        alice = await test.enter("alice")
        assert await alice.told() == "Hello! What is it about?"
        test.model.script(
            Reply(tool_calls=[tool_call("askBilling", '{"reason": "She asks for 18."}')]),
            Reply(tool_calls=[tool_call("findInvoice", '{"number": "18"}')]),
            Reply("It is open."),
        )
        answer = await alice.ask("Is invoice 18 paid?")
        assert answer.text == "It is open."
        assert answer.handoffs == (("triage", "billing"),)
        answer.expect.contains_function_call(name="findInvoice", arguments={"number": "18"})
        assert answer.calls[-1].result == "40 euros, open"


async def test_livekit_agent() -> None:
    async with AppTest(load_app(reference("livekit_agent"))) as test:
        alice = await test.enter("alice")
        assert await alice.told() == "Good evening! For when would you like a table?"
        booking = tool_call("book_table", '{"hour": 20, "people": 2}')
        test.model.script(Reply(tool_calls=[booking]))
        assert (await alice.ask("A table for two at eight")).text == "Under which name, please?"
        test.model.script(
            Reply(tool_calls=[tool_call("note_name", '{"name": "Ada"}')]), Reply("Until then, Ada!")
        )
        answer = await alice.ask("Ada")
        assert answer.text == "Until then, Ada!"
        booked = [call.result for call in answer.calls if call.name == "book_table"]
        assert booked == ["A table for 2 at 20:00 is booked for Ada."]


async def test_mcp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room_host, "PATIENCE", 20.0)
    stock = {
        "command": sys.executable,
        "args": [str(EXAMPLES / "mcp" / "stock.py")],
        "approval": ["order_book"],
    }
    app = load_app(reference("mcp", "shop"))
    async with AppTest(app, MCP_SERVERS=json.dumps({"stock": stock})) as test:
        alice = await test.enter("alice")
        asked: list[Approval] = []

        async def approve(approval: Approval) -> bool:
            asked.append(approval)
            return True

        alice.agent.on_approval = approve
        find = tool_call("stock_find_book", '{"title": "atlas"}')
        order = tool_call("stock_order_book", '{"title": "atlas", "copies": 5}')
        test.model.script(Reply(tool_calls=[find]), Reply(tool_calls=[order]), Reply("Done."))
        answer = await alice.ask("Is there an atlas? Order five more")
        results = [call.result for call in answer.calls]
        assert results == ["3 copies of atlas", "5 copies of atlas are ordered"]
        assert [each.tool for each in asked] == ["stock_order_book"]


async def test_rag() -> None:
    async with AppTest(load_app(reference("rag"))) as test:
        alice = await test.enter("alice")
        test.model.script(Reply("Yes, within 30 days."), Reply("I do not know."))
        answer = await alice.ask("May I return a book?")
        assert answer.text == "Yes, within 30 days."
        [source, *_] = answer.shown("source")
        assert (source["title"], source["url"]) == (
            "Returns",
            "https://example.com/handbook/returns",
        )
        read = [message.text for message in test.model.requests[-1].chat.messages]
        assert any("within 30 days" in text for text in read)
        assert not (await alice.ask("Who won?")).shown("source")


class TestTurns(HistoryContract):
    """The store of the example keeps the contract."""

    @pytest.fixture
    def new_store(self, tmp_path: Path) -> Callable[[], TurnStore]:
        return lambda: own_history.Turns(str(tmp_path / "shop.db"))


async def test_own_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_DATABASE", str(tmp_path / "shop.db"))
    rooms = {"CONVERSATIONS": "room-name"}
    path = tmp_path / "own_shop.py"
    path.write_text((EXAMPLES / "own_history" / "own_history.py").read_text())
    app = load_app(str(path))
    async with AppTest(app, **rooms) as test:
        alice = await test.enter("alice")
        test.model.script(Reply("Tea."))
        assert (await alice.ask("What do you sell?")).text == "Tea."
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database:
        columns = "turn ->> '$.question.text', turn ->> '$.answer.text'"
        told = database.execute(f"SELECT {columns} FROM turn").fetchall()  # noqa: S608 - see above
    assert told == [("What do you sell?", "Tea.")]
    async with AppTest(app, **rooms) as test:
        bob = await test.enter("bob")
        page = await bob.agent.call("getHistory")
        assert [each["text"] for each in page["messages"]] == ["What do you sell?", "Tea."]
        test.model.script(Reply("Green."))
        await bob.ask("Which?")
        read = [each.text for each in test.model.requests[-1].chat.messages]
        assert "Tea." in read
