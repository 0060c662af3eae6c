"""The threads of the page."""

from __future__ import annotations

from playwright.async_api import expect

from devserver.model import DemoModel, Reply
from tests.web.conftest import OpenPage
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
    sure = alice.button("Delete all its messages")
    # A press of the mouse must not move the focus, as it does in Safari: the button would be gone
    # before the click.
    pressed = (
        "sure => sure.dispatchEvent(new MouseEvent('mousedown', {bubbles: true, cancelable: true}))"
    )
    assert await sure.evaluate(pressed) is False
    await sure.click()
    await expect(alice.message("Between us.")).to_have_count(0, timeout=WITHIN * 1000)
    await expect(threads).to_have_count(1, timeout=WITHIN * 1000)
    await expect(threads).to_contain_text("Hi everybody")


async def test_the_threads_of_an_empty_room_that_the_agent_has_yet_to_join(
    open_page: OpenPage,
) -> None:
    alice = await open_page("alice", panel="threads")
    threads = alice.page.get_by_role("complementary", name="Threads")
    await expect(threads).to_contain_text("Nothing has been said yet.", timeout=WITHIN * 1000)
    await expect(alice.page.get_by_role("alert")).to_have_count(0)
