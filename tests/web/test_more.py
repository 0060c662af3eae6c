"""Features of the page besides the chat: editing messages, parts, approval, tools, drawing."""

from __future__ import annotations

import asyncio
import json

import pytest
from playwright.async_api import Locator, expect

from devserver.model import DemoModel, Reply, tool_call
from tests.agent.conftest import StartWorker, Worker
from tests.web.conftest import OpenPage
from tests.web.page_person import WITHIN, PagePerson
from tests.web.showcase import TOOLS_SHOWN


@pytest.fixture
async def worker(start_worker: StartWorker) -> Worker:
    return await start_worker(tools=TOOLS_SHOWN)


async def shows(locator: Locator, text: str) -> None:
    await expect(locator).to_contain_text(text, timeout=WITHIN * 1000)


async def test_editing_asks_again_and_deleting_is_for_everybody(
    alice: PagePerson, open_page: OpenPage, model: DemoModel
) -> None:
    bob = await open_page("bob")
    model.script(Reply("Noon."), Reply("One o'clock."), Reply("Two o'clock."))
    await alice.writes("What time is it?")
    await bob.sees("Noon.")
    question = await alice.sees("What time is it?")
    await question.hover()
    await question.get_by_role("button", name="Edit message").click()
    await alice.page.get_by_role("textbox", name="Edit message").fill("And in Paris?")
    await alice.button("Save and ask again").click()
    for person in (alice, bob):
        await person.sees("One o'clock.")
        assert await person.texts() == ["And in Paris?", "One o'clock."]
    answer = await alice.sees("One o'clock.")
    await answer.get_by_role("button", name="Answer again").click()
    await bob.sees("Two o'clock.")
    answer = await alice.sees("Two o'clock.")
    await answer.get_by_role("button", name="Delete answer").click()
    await answer.get_by_role("button", name="Delete for everybody").click()
    for person in (alice, bob):
        await expect(person.message("Two o'clock.")).to_have_count(0, timeout=WITHIN * 1000)
        assert await person.texts() == ["And in Paris?"]
    # Other people's messages, and the answers to them, are theirs.
    await expect(bob.button("Edit message")).to_have_count(0)
    await expect(bob.button("Answer again")).to_have_count(0)


async def test_reactions_feedback_and_replies(
    alice: PagePerson, open_page: OpenPage, model: DemoModel, worker: Worker
) -> None:
    bob = await open_page("bob")
    model.script(Reply("Noon."), Reply("In Rome, too."))
    await alice.writes("What time is it?")
    answer = await bob.sees("Noon.")
    await answer.get_by_role("button", name="React").click()
    await answer.get_by_role("button", name="Thumbs up").click()
    for person in (alice, bob):
        chip = (await person.sees("Noon.")).locator(".reactions button")
        await shows(chip, "1")
        await expect(chip).to_have_attribute("aria-pressed", str(person is bob).lower())
    await answer.locator(".reactions button").click()
    await expect(answer.locator(".reactions")).to_have_count(0, timeout=WITHIN * 1000)
    good = (await alice.sees("Noon.")).get_by_role("button", name="Good answer")
    await good.click()
    await expect(good).to_have_attribute("aria-pressed", "true")
    await answer.get_by_role("button", name="Reply").click()
    await bob.writes("And in Rome?")
    await bob.sees("In Rome, too.")
    for person in (alice, bob):
        await shows((await person.sees("And in Rome?")).locator(".quote"), "Noon.")


async def test_tool_calls_cards_sources_and_suggestions(
    alice: PagePerson, open_page: OpenPage, model: DemoModel
) -> None:
    bob = await open_page("bob")
    model.script(
        Reply(tool_calls=[tool_call("findOrder", '{"number": "A1"}')]),
        Reply("It is coming."),
        Reply("On Thursday."),
    )
    await alice.writes("Where is A1?")
    for person in (alice, bob):
        answer = await person.sees("It is coming.")
        call = answer.locator("details.call")
        await shows(call, "findOrder")
        await call.locator("summary").click()
        await shows(call, '"number": "A1"')
        await shows(call, "Order A1 is on its way.")
        card = answer.get_by_role("region", name="Order A1")
        await shows(card, "On its way")
        source = answer.get_by_role("link", name="Shipping terms")
        assert await source.get_attribute("href") == "https://shop.example/terms"
    card = (await bob.sees("It is coming.")).get_by_role("region", name="Order A1")
    await card.get_by_role("button", name="Cancel").click()
    await shows(card.get_by_role("status"), "The order is cancelled.")
    await alice.button("When does it arrive?").click()
    await alice.sees("On Thursday.")


async def test_charts_and_forms(alice: PagePerson, model: DemoModel) -> None:
    model.script(
        Reply(tool_calls=[tool_call("salesOfTheWeek"), tool_call("offerSeats")]), Reply("Here.")
    )
    await alice.writes("Show me.")
    answer = await alice.sees("Here.")
    chart = answer.get_by_role("region", name="Orders this week")
    await expect(chart.get_by_role("img", name="Shop, App")).to_be_visible()
    assert await chart.locator("rect").count() == 14
    assert await chart.get_by_role("cell", name="Sat: 73").count() == 1
    form = answer.get_by_role("region", name="Your seats")
    await form.get_by_label("seats").fill("2")
    await form.get_by_role("button", name="Send").click()
    await shows(form.get_by_role("status"), '{"booked":2}')


@pytest.mark.parametrize(("button", "answer"), [("Allow", "Sent."), ("Decline", "I did not.")])
async def test_approving_a_tool(
    alice: PagePerson, open_page: OpenPage, model: DemoModel, button: str, answer: str
) -> None:
    bob = await open_page("bob")
    mail = json.dumps({"to": "bob", "text": "Hello"})
    model.script(Reply(tool_calls=[tool_call("sendMail", mail)]), Reply(answer))
    await alice.writes("Mail Bob.")
    question = alice.page.get_by_role("alertdialog", name="run sendMail?")
    await shows(question, '"to": "bob"')
    await expect(bob.page.get_by_role("alertdialog")).to_have_count(0)
    await question.get_by_role("button", name=button).click()
    await alice.sees(answer)
    await expect(question).to_have_count(0)
    outcome = "Sent 5 characters" if button == "Allow" else "declined"
    assert outcome in json.dumps(model.requests[-1].body)


async def test_a_form_for_each_tool_with_its_answers(alice: PagePerson) -> None:
    await alice.button("Tools").click()
    panel = alice.page.get_by_role("complementary", name="Tools")
    tool = panel.locator("details.tool").filter(has_text="riskyOperation")
    await tool.locator("summary").click()
    await tool.get_by_label("data").fill("hello")
    await tool.get_by_role("button", name="Call").click()
    first = tool.locator(".outcomes li").first
    await shows(first, '"result": "hello"')
    await shows(first, " ms")
    await tool.get_by_label("fail").check()
    await tool.get_by_role("button", name="Call").click()
    await shows(first, "Error 500")
    await expect(tool.locator(".outcomes li")).to_have_count(2)
    weather = panel.locator("details.tool").filter(has_text="getWeather")
    await weather.locator("summary").click()
    await weather.get_by_label("city").fill("x" * 100 + "!")
    await weather.get_by_role("button", name="Call").click()
    await expect(weather.locator(".outcomes li").first).to_be_visible(timeout=WITHIN * 1000)


async def test_the_wire_shows_streams_packets_and_calls(
    alice: PagePerson, model: DemoModel
) -> None:
    await alice.button("Wire").click()
    wire = alice.page.get_by_role("complementary", name="Wire")
    gate = asyncio.Event()
    model.script(Reply(tokens=["Noon", "."], after=1, pause=gate))
    await alice.writes("What time is it?")
    answer = wire.locator("details").filter(has_text="llm-response")
    await shows(answer, "…")
    gate.set()
    await shows(answer, "5 B")
    await answer.locator("summary").click()
    await shows(answer, '"text": "Noon."')
    await shows(answer, '"finish_reason": "stop"')
    for name in ("lk.chat", "system", "getHistory"):
        await expect(wire.locator("details").filter(has_text=name).first).to_be_visible()
    await wire.get_by_role("button", name="Packets").click()
    await expect(wire.locator("details").filter(has_text="system")).to_have_count(0)


async def test_drawing_together(alice: PagePerson, open_page: OpenPage) -> None:
    bob = await open_page("bob")
    for person in (alice, bob):
        await person.button("Whiteboard").click()
    surface = alice.page.get_by_role("img", name="Whiteboard with")
    box = await surface.bounding_box()
    assert box is not None
    await alice.page.mouse.move(box["x"] + 50, box["y"] + 50)
    await alice.page.mouse.down()
    await alice.page.mouse.move(box["x"] + 150, box["y"] + 120, steps=5)
    await alice.page.mouse.up()
    await alice.page.get_by_role("textbox", name="Note").fill("Milk, eggs")
    await alice.button("Put up").click()
    await expect(bob.page.locator(".board-surface polyline")).to_have_count(1)
    await shows(bob.page.locator(".board-surface .note"), "Milk, eggs")
    await shows(bob.page.locator(".cursor"), "Alice A.")
    await alice.button("Close whiteboard").click()
    await alice.button("Whiteboard").click()
    await expect(alice.page.get_by_role("img", name="Whiteboard with 2 elements")).to_be_visible()


async def test_searching_in_what_was_said(alice: PagePerson, model: DemoModel) -> None:
    for number in ("One", "Two"):
        model.script(Reply(f"{number} it is."))
        await alice.writes(f"Say {number}")
        await alice.sees(f"{number} it is.")
    await alice.button("Search").click()
    await alice.page.get_by_role("searchbox").fill("two")
    found = alice.page.locator(".search li")
    await expect(found).to_have_count(2)
    await alice.page.get_by_role("searchbox").fill("nothing like this")
    await expect(found).to_have_count(0)


async def test_two_people_side_by_side(alice: PagePerson, model: DemoModel) -> None:
    address = alice.page.url.replace("identity=alice", "side-by-side")
    await alice.page.goto(address)
    first, second = (alice.page.frame_locator(f"iframe[title={name}]") for name in ("Alice", "Bob"))
    await shows(first.locator(".agent-state"), "listening")
    await shows(second.locator(".agent-state"), "listening")
    model.script(Reply("Both of you."))
    box = first.get_by_role("textbox", name="Message to")
    await box.fill("Who reads this?")
    await box.press("Enter")
    await shows(second.locator("article.answer"), "Both of you.")
    await shows(second.locator("article.person"), "Alice")
