"""Parts and questions whose texts mislead, or whose values are not what the page expects."""

from __future__ import annotations

import json
from typing import Final

import pytest
from playwright.async_api import expect

from devserver.model import DemoModel, Reply, tool_call
from tests.agent.conftest import StartWorker, Worker
from tests.web.page_person import WITHIN, PagePerson
from toolkit import Data, Source, ToolContext, tool

TURNED: Final = "\u202e"
"""From here on, text is shown from right to left."""

SEATS: Final = {
    "type": "object",
    "properties": {
        "seats": {"type": "integer", "title": f"Seats{TURNED}", "description": "2\u2066"}
    },
}


@tool
async def show_all(context: ToolContext) -> str:
    """Show misleading parts."""
    bank = f"bank.example{TURNED}/moc.live"
    context.show(Source(bank, "https://evil.example/login", quote=f"as {TURNED}said"))
    card = {
        "title": f"Refund{TURNED}",
        f"IBAN{TURNED}": f"DE12{TURNED}34",
        "nested": {"to": f"bob{TURNED}"},
        "actions": [{"action": "pay", "label": f"Pay{TURNED}"}],
    }
    context.show(Data("card", card, id="card", schema=SEATS))
    odd = [{"name": {"a": 1}, "values": [1, 2]}, {"name": "B", "values": [3, 4]}]
    chart = {"title": "Sales", "chart": "bar", "labels": [{"a": 1}, "Tue"], "series": odd}
    context.show(Data("chart", chart, id="chart"))
    no_series = {"title": "None", "chart": "line", "labels": ["Mon"], "series": [None]}
    context.show(Data("none", no_series, id="none"))
    return "shown"


@tool(needs_approval=True)
async def pay(iban: str) -> str:
    """Pay."""
    return f"paid {iban}"


@pytest.fixture
async def worker(start_worker: StartWorker) -> Worker:
    return await start_worker(tools=[show_all, pay])


async def test_misleading_characters_are_not_shown(alice: PagePerson, model: DemoModel) -> None:
    model.script(Reply(tool_calls=[tool_call("showAll")]), Reply("Here."))
    await alice.writes("Show me")
    answer = await alice.sees("Here.")
    source = answer.locator(".source")
    await expect(source.get_by_role("link")).to_have_text("bank.example /moc.live")
    await expect(source).to_contain_text("evil.example")
    card = answer.get_by_role("region", name="Refund")
    await expect(card).to_contain_text('"to": "bob\\u202e"')
    await expect(card.get_by_role("button", name="Pay", exact=True)).to_be_visible()
    await expect(card.get_by_label("Seats", exact=True)).to_have_accessible_description("2")
    assert TURNED not in await answer.inner_text()
    await expect(answer.get_by_role("region", name="Sales").get_by_role("img")).to_be_visible()
    await expect(answer.get_by_role("region", name="None")).to_be_visible()
    marks = answer.get_by_role("region", name="Sales").locator(".axis text")
    assert await marks.all_text_contents() == ["0", "1", "2", "3", "4"]


async def test_a_question_is_answered_by_the_keyboard_alone(
    alice: PagePerson, model: DemoModel
) -> None:
    iban = json.dumps({"iban": f"DE12{TURNED}34"})
    model.script(Reply(tool_calls=[tool_call("pay", iban)]), Reply("Paid."))
    await alice.writes("Pay")
    question = alice.page.get_by_role("alertdialog", name="run pay?")
    await expect(question).to_be_focused(timeout=WITHIN * 1000)
    await expect(question).to_contain_text('"iban": "DE12\\u202e34"')
    keyboard = alice.page.keyboard
    await keyboard.press("Enter")  # No button has the focus: nothing is allowed by mistake.
    await keyboard.press("Escape")
    await expect(alice.box).to_be_focused()
    await keyboard.press("Shift+Tab")
    allow = question.get_by_role("button", name="Allow")
    while not await allow.evaluate("each => each === document.activeElement"):
        await keyboard.press("Shift+Tab")
    await keyboard.press("Enter")
    await alice.sees("Paid.")
    await expect(alice.box).to_be_focused()


async def test_a_question_does_not_take_focus_from_someone_typing(
    alice: PagePerson, model: DemoModel
) -> None:
    call = tool_call("pay", json.dumps({"iban": "DE12"}))
    model.script(Reply(tool_calls=[call, call]), Reply("Paid."))
    await alice.writes("Pay")
    await alice.box.press_sequentially("And th")
    questions = alice.page.get_by_role("alertdialog", name="run pay?")
    await expect(questions).to_have_count(2, timeout=WITHIN * 1000)
    await alice.box.press_sequentially("en?")
    await expect(alice.box).to_have_value("And then?")
    await questions.first.get_by_role("button", name="Allow").click()
    await expect(questions).to_have_count(1)
    await expect(questions).to_be_focused()
    await questions.get_by_role("button", name="Allow").click()
    await expect(alice.box).to_be_focused()
    await alice.sees("Paid.")
