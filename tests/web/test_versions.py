"""Earlier versions of an edited message, on the page."""

from __future__ import annotations

from playwright.async_api import expect

from devserver.model import DemoModel, Reply
from tests.web.conftest import OpenPage
from tests.web.page_person import WITHIN, PagePerson


async def test_leafing_through_what_was_there_before_an_edit(
    alice: PagePerson, open_page: OpenPage, model: DemoModel
) -> None:
    bob = await open_page("bob")
    model.script(Reply("Noon."), Reply("One o'clock."), Reply("Two o'clock."))
    await alice.writes("What time is it?")
    await alice.sees("Noon.")
    await bob.sees("Noon.")
    question = alice.page.locator("article.person")
    await expect(question.get_by_role("group", name="Versions")).to_have_count(0)
    await question.hover()
    await question.get_by_role("button", name="Edit message").click()
    await alice.page.get_by_role("textbox", name="Edit message").fill("And in Paris?")
    await alice.button("Save and ask again").click()
    answer = await alice.sees("One o'clock.")
    await answer.get_by_role("button", name="Answer again").click()
    await alice.sees("Two o'clock.")

    for person in (alice, bob):
        await _leafs_through(person)
    await expect(alice.button("Answer again")).to_have_count(1)

    await alice.page.reload()
    await alice.sees("Two o'clock.")
    assert await alice.texts() == ["And in Paris?", "Two o'clock."]
    await expect(alice.page.get_by_role("group", name="Versions")).to_have_count(0)


async def _leafs_through(person: PagePerson) -> None:
    versions = person.page.get_by_role("group", name="Versions")
    former = versions.get_by_role("button", name="Former version")
    later = versions.get_by_role("button", name="Later version")
    await expect(versions).to_contain_text("3 / 3", timeout=WITHIN * 1000)
    await expect(later).to_be_disabled()
    await former.click()
    await person.sees("One o'clock.")
    assert await person.texts() == ["And in Paris?", "One o'clock."]
    await expect(person.button("Answer again")).to_have_count(0)
    await expect(person.button("Edit message")).to_have_count(0)
    await former.click()
    await person.sees("Noon.")
    assert await person.texts() == ["What time is it?", "Noon."]
    await expect(former).to_be_disabled()
    await later.click()
    await later.click()
    await person.sees("Two o'clock.")
    assert await person.texts() == ["And in Paris?", "Two o'clock."]
