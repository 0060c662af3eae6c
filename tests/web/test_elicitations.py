"""Questions of tools at the page: a form, a page to open, yes or no."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest
from playwright.async_api import expect

from devserver.model import DemoModel, Reply, tool_call
from tests.web.page_person import WITHIN
from tests.web.test_access import findings
from toolkit import ToolContext, tool

if TYPE_CHECKING:
    from playwright.async_api import Locator

    from tests.agent.conftest import StartWorker, Worker
    from tests.web.conftest import OpenPage
    from tests.web.page_person import PagePerson

FORM: Final = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "title": "Your name", "minLength": 2},
        "guests": {"type": "integer", "minimum": 1, "maximum": 9},
        "mail": {"type": "string", "format": "email", "description": "To confirm it"},
        "day": {"type": "string", "format": "date", "default": "2026-12-24"},
        "place": {
            "type": "string",
            "oneOf": [{"const": "in", "title": "Inside"}, {"const": "out", "title": "Terrace"}],
        },
        "wishes": {
            "type": "array",
            "items": {"type": "string", "enum": ["quiet", "view", "cake"]},
            "maxItems": 2,
        },
        "dog": {"type": "boolean", "title": "With a dog"},
    },
    "required": ["name", "guests"],
}


@tool
async def book_table(context: ToolContext) -> str:
    """Book a table."""
    answer = await context.elicit("For how many?\nThere are <b>nine</b> seats.", FORM)
    return json.dumps([answer.action, dict(answer.content)])


@tool
async def pay(context: ToolContext, url: str) -> str:
    """Have somebody pay."""
    return (await context.elicit("Pay the deposit.", url=url)).action


@tool
async def confirm(context: ToolContext) -> str:
    """Ask for yes or no."""
    return (await context.elicit("Shall I?")).action


@pytest.fixture
async def worker(start_worker: StartWorker) -> Worker:
    return await start_worker(tools=[book_table, pay, confirm])


OVER: Final = "That is settled."
"""The answer once a question is answered."""


async def asked(
    alice: PagePerson, model: DemoModel, name: str, arguments: str = "{}", over: str = OVER
) -> Locator:
    """The question of a tool that the model calls; `over`: the answer after it."""
    model.script(Reply(tool_calls=[tool_call(name, arguments)]), Reply(over))
    await alice.writes(f"Please {name}")
    question = alice.page.get_by_role("alertdialog", name=f"{name} asks")
    await question.wait_for()
    return question


async def told(alice: PagePerson, model: DemoModel, over: str = OVER) -> str:
    """What the model is told of the call, once the question is answered."""
    await alice.sees(over)
    await expect(alice.page.get_by_role("alertdialog")).to_have_count(0)
    (_, result) = model.requests[-1].chat.tool_results[-1]
    return result


async def test_a_form_is_filled_in(
    alice: PagePerson, open_page: OpenPage, model: DemoModel
) -> None:
    bob = await open_page("bob")
    question = await asked(alice, model, "bookTable")
    await expect(question).to_have_accessible_description(
        "For how many? There are <b>nine</b> seats."
    )
    await expect(bob.page.get_by_role("alertdialog")).to_have_count(0)
    assert await findings(alice) == []
    await question.get_by_role("button", name="Send").click()
    # The browser says what is missing.
    await expect(question.get_by_label("Your name")).to_be_focused()
    keyboard = alice.page.keyboard
    for text in ("Ana", "4", "ana@example.test"):
        await keyboard.type(text)
        await keyboard.press("Tab")
    await expect(question.get_by_label("mail")).to_have_accessible_description("To confirm it")
    await question.get_by_label("place").select_option("Terrace")
    wishes = question.get_by_role("group", name="wishes")
    for wish in ("quiet", "view", "cake"):
        await wishes.get_by_label(wish).check()
    await question.get_by_role("button", name="Send").click()
    await expect(wishes.get_by_role("alert")).to_have_text("choose 2 at most")
    await wishes.get_by_label("quiet").press("Space")
    await question.get_by_label("Your name").press("Enter")
    await expect(alice.box).to_be_focused()
    assert json.loads(await told(alice, model)) == [
        "accept",
        {
            "name": "Ana",
            "guests": 4,
            "mail": "ana@example.test",
            "day": "2026-12-24",
            "place": "out",
            "wishes": ["view", "cake"],
        },
    ]


async def test_a_page_is_named_before_it_is_opened(alice: PagePerson, model: DemoModel) -> None:
    address = alice.page.url.split("?", maxsplit=1)[0] + "pay"
    host = address.split("/")[2]
    question = await asked(alice, model, "pay", json.dumps({"url": address}))
    await expect(question).to_contain_text(f"This opens a page at {host}:")
    await expect(question).to_contain_text(address)
    async with alice.page.context.expect_page() as opened:
        await question.get_by_role("button", name=f"Open {host}").click()
    page = await opened.value
    await page.wait_for_url(address)
    assert await page.evaluate("[window.opener, document.referrer]") == [None, ""]
    assert await told(alice, model) == "accept"


async def test_a_question_may_be_declined_cancelled_and_given_up(
    alice: PagePerson, model: DemoModel
) -> None:
    for button, action in (("Yes", "accept"), ("No", "decline"), ("Cancel", "cancel")):
        over = f"{button} it is."
        question = await asked(alice, model, "confirm", over=over)
        await question.get_by_role("button", name=button, exact=True).click()
        assert await told(alice, model, over) == action
    question = await asked(alice, model, "confirm")
    await alice.button("Stop").click()
    await expect(question).to_have_count(0, timeout=WITHIN * 1000)
