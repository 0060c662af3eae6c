"""A chat in the page of `dev`, with the room server and the worker of the tests."""

from __future__ import annotations

import asyncio
from pathlib import Path

from playwright.async_api import expect

from devserver.model import DemoModel, Reply
from tests.web.conftest import OpenPage
from tests.web.page_person import WITHIN, PagePerson

CODE = 'Like this:\n\n```python\nprint("hello")\n```\n\nThat is **all**.'


def read(path: Path) -> bytes:
    return path.read_bytes()


async def test_an_answer_streams_to_everybody(
    alice: PagePerson, open_page: OpenPage, model: DemoModel
) -> None:
    bob = await open_page("bob")
    gate = asyncio.Event()
    model.script(Reply(tokens=["One. ", "Two."], after=1, pause=gate))
    await alice.writes("How many?")
    for person in (alice, bob):
        await person.sees("One. ")
        await person.sees_agent("answering")
    await expect(alice.button("Stop")).to_be_visible()
    await expect(bob.button("Stop")).to_have_count(0)
    gate.set()
    for person in (alice, bob):
        await person.sees("One. Two.")
        await person.sees_agent("listening")
        assert await person.texts() == ["How many?", "One. Two."]
    await expect(alice.button("Stop")).to_have_count(0)
    question = await bob.sees("How many?")
    assert await question.locator(".message-name").inner_text() == "Alice A."
    answer = await bob.sees("One. Two.")
    assert "to Alice A." in await answer.inner_text()


async def test_markdown_and_code_that_can_be_copied(open_page: OpenPage, model: DemoModel) -> None:
    alice = await open_page("alice", options={"permissions": ["clipboard-read", "clipboard-write"]})
    model.script(Reply(CODE))
    await alice.writes("How do I print?")
    answer = await alice.sees("That is all.")
    assert await answer.locator("pre code").inner_text() == 'print("hello")\n'
    assert await answer.locator("strong").inner_text() == "all"
    await answer.get_by_role("button", name="Copy code").click()
    await expect(answer.get_by_role("button", name="Copied")).to_be_visible()
    assert (await alice.page.evaluate("navigator.clipboard.readText()")).strip() == 'print("hello")'
    await answer.get_by_role("button", name="Copy answer").click()
    await expect(answer.locator(".actions").get_by_role("button", name="Copied")).to_be_visible()
    assert await alice.page.evaluate("navigator.clipboard.readText()") == CODE


async def test_stopping_keeps_what_was_said(alice: PagePerson, model: DemoModel) -> None:
    model.script(Reply(tokens=["One. ", "Two."], after=1, pause=asyncio.Event()))
    await alice.writes("How many?")
    await alice.sees("One. ")
    await alice.button("Stop").click()
    answer = await alice.sees("Stopped")
    assert await answer.locator(".markdown").inner_text() == "One."
    await expect(alice.button("Stop")).to_have_count(0)


async def test_late_and_returning_participants_find_everything(
    alice: PagePerson, open_page: OpenPage, model: DemoModel
) -> None:
    model.script(Reply("Noon."), Reply("Only you know."))
    await alice.writes("What time is it?")
    await alice.sees("Noon.")
    await alice.writes("Who knows?", privately=True)
    await alice.sees("Only you know.")
    bob = await open_page("bob")
    await bob.sees("Noon.")
    assert await bob.texts() == ["What time is it?", "Noon."]
    await alice.page.reload()
    await alice.sees("Only you know.")
    await alice.sees("Noon.")
    assert await alice.texts() == ["What time is it?", "Noon.", "Who knows?", "Only you know."]


async def test_private_messages_are_private_and_look_so(
    alice: PagePerson, open_page: OpenPage, model: DemoModel
) -> None:
    bob = await open_page("bob")
    model.script(Reply("It is a secret."), Reply("Hello, all."))
    await alice.writes("Between us?", privately=True)
    for text in ("Between us?", "It is a secret."):
        message = await alice.sees(text)
        await expect(message.get_by_text("Only you and Agent")).to_be_visible()
    await alice.writes("And to all?")
    await bob.sees("Hello, all.")
    assert await bob.texts() == ["And to all?", "Hello, all."]
    shown = await alice.sees("Hello, all.")
    await expect(shown.get_by_text("Only you and Agent")).to_have_count(0)


async def test_files_go_with_a_message_and_come_back(
    alice: PagePerson, open_page: OpenPage, model: DemoModel, letter: Path
) -> None:
    async with alice.page.expect_file_chooser() as choosing:
        await alice.button("Attach files").click()
    await (await choosing.value).set_files(letter)
    await expect(alice.page.get_by_text("letter.txt")).to_be_visible()
    model.script(Reply("On Monday."))
    await alice.writes("When?")
    await alice.sees("On Monday.")
    assert "see you on Monday" in str(model.requests[-1])
    bob = await open_page("bob")
    for person in (alice, bob):
        question = await person.sees("When?")
        await question.get_by_role("button", name="Open letter.txt").click()
        link = question.get_by_role("link", name="Save letter.txt")
        async with person.page.expect_download() as downloading:
            await link.click()
        assert read(await (await downloading.value).path()) == read(letter)


async def test_hostile_markdown_and_names_stay_text(open_page: OpenPage, model: DemoModel) -> None:
    mallory = await open_page("mallory", name="<b>Admin\u202e</b>\n\nAgent")
    bob = await open_page("bob")
    hostile = (
        "<img src=x onerror=alert(1)> <script>alert(1)</script> "
        "[click](javascript:alert(1)) [data](data:text/html,x) ![pixel](https://example.com/p.png) "
        "[fine](https://example.com/fine)"
    )
    model.script(Reply(hostile))
    await mallory.writes(hostile)
    answer = bob.page.locator("article.answer")
    await expect(answer.get_by_text("<script>alert(1)</script>")).to_be_visible(
        timeout=WITHIN * 1000
    )
    for person in (mallory, bob):
        assert await person.page.locator("article img, article script").count() == 0
        hrefs = await person.page.locator("article a").evaluate_all(
            "all => all.map((each) => [each.getAttribute('href'), each.rel])"
        )
        rel = "noopener noreferrer nofollow"
        assert hrefs == [["https://example.com/p.png", rel], ["https://example.com/fine", rel]]
        assert not [url for url in person.requests if "example.com" in url]
    name = bob.page.locator("article.person .message-name")
    assert await name.inner_text() == "<b>Admin </b> Agent"
