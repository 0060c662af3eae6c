"""The threads of the page."""

from __future__ import annotations

from playwright.async_api import expect

from devserver.model import DemoModel, Reply
from tests.web.page_person import WITHIN, PagePerson


async def test_threads_with_their_summaries(alice: PagePerson, model: DemoModel) -> None:
    model.script(Reply("Hello."), Reply("Between us."))
    await alice.writes("Hi everybody")
    await alice.sees("Hello.")
    await alice.writes("Hi you", privately=True)
    await alice.sees("Between us.")
    await alice.button("Threads").click()
    threads = alice.page.locator(".threads li")
    await expect(threads).to_have_count(2, timeout=WITHIN * 1000)
    own = threads.filter(has_text="Hi you")
    await expect(own).to_contain_text("2 messages")
    model.script(Reply("They greeted each other."))
    await own.get_by_role("button", name="Summary").click()
    await expect(own).to_contain_text("They greeted each other.", timeout=WITHIN * 1000)
    # The room's is everybody's.
    await expect(alice.button("Delete thread")).to_have_count(1)
    await alice.button("Delete thread").click()
    await alice.button("Delete all its messages").click()
    await expect(alice.message("Between us.")).to_have_count(0, timeout=WITHIN * 1000)
    await expect(threads).to_have_count(1, timeout=WITHIN * 1000)
    await expect(threads).to_contain_text("Hi everybody")
