"""Whom the page is for: keyboards and screen readers (axe), right-to-left, phones; its size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from agent.cli.page_build import CHECKOUT, PageBuild
from devserver.model import DemoModel, Reply, tool_call
from tests.agent.conftest import StartWorker, Worker
from tests.web.conftest import OpenPage
from tests.web.page_person import PagePerson
from tests.web.showcase import TOOLS_SHOWN

AXE = CHECKOUT / "web" / "node_modules" / "axe-core" / "axe.min.js"
PANELS = ("Search", "People", "Tools", "Whiteboard", "Wire", "Settings")
PHONE_WIDTH = 360
PHONE = {
    "viewport": {"width": PHONE_WIDTH, "height": 740},
    "is_mobile": True,
    "has_touch": True,
}

MOST_SCRIPT = 1_700_000
MOST_STYLE = 60_000
"""Bytes of the built page, uncompressed."""

FIRST_PAINT = 3_000
"""Milliseconds, on a busy machine."""


@pytest.fixture
async def worker(start_worker: StartWorker) -> Worker:
    return await start_worker(tools=TOOLS_SHOWN)


async def findings(person: PagePerson) -> list[str]:
    """Serious and critical findings of axe on what is shown now."""
    # As the policy of the page has it, a script from elsewhere cannot be added to it.
    await person.page.evaluate(read(AXE))
    found: dict[str, list[dict[str, Any]]] = await person.page.evaluate("axe.run()")
    return [
        f"{each['id']}: {node['html'][:160]} {node['failureSummary'][:300]}"
        for each in found["violations"]
        if each["impact"] in {"serious", "critical"}
        for node in each["nodes"]
    ]


def read(path: Path) -> str:
    return path.read_text()


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_axe_finds_nothing_serious(open_page: OpenPage, model: DemoModel, theme: str) -> None:
    alice = await open_page("alice", theme=theme)
    assert await findings(alice) == []
    mail = tool_call("sendMail", '{"to": "bob", "text": "Hi"}')
    shown = [tool_call(name) for name in ("salesOfTheWeek", "offerSeats")]
    order = tool_call("findOrder", '{"number": "A1"}')
    model.script(
        Reply(tool_calls=[order, *shown]),
        Reply(
            "Here:\n\n```python\nprint(1)\n```\n\n| a | b |\n|---|---|\n| 1 | [2](https://b.c) |"
        ),
        Reply("A secret."),
        Reply(tool_calls=[mail]),
    )
    await alice.writes("Show me everything.")
    await alice.sees("print(1)")
    await alice.writes("And in private?", privately=True)
    await alice.sees("A secret.")
    await alice.writes("Mail Bob.")
    await alice.button("Allow").wait_for()
    assert await findings(alice) == []
    for panel in PANELS:
        await alice.button(panel).click()
        await alice.page.get_by_role("complementary", name=panel).wait_for()
        assert await findings(alice) == [], panel


async def test_the_keyboard_alone_is_enough(alice: PagePerson, model: DemoModel) -> None:
    model.script(Reply("Noon."), Reply("One o'clock."))
    # The box has the focus from the beginning.
    await expect(alice.box).to_be_focused()
    await alice.page.keyboard.type("What time is it?")
    await alice.page.keyboard.press("Enter")
    await alice.sees("Noon.")
    for _ in range(12):
        await alice.page.keyboard.press("Shift+Tab")
        name = await alice.page.evaluate("document.activeElement.ariaLabel")
        if name == "Answer again":
            break
    await alice.page.keyboard.press("Enter")
    await alice.sees("One o'clock.")
    await alice.button("Tools").focus()
    await alice.page.keyboard.press("Enter")
    panel = alice.page.get_by_role("complementary", name="Tools")
    await expect(panel.get_by_role("heading", name="Tools")).to_be_focused()
    await alice.page.keyboard.press("Escape")
    await expect(panel).to_have_count(0)


async def test_a_screen_reader_hears_new_messages(alice: PagePerson, model: DemoModel) -> None:
    model.script(Reply("Noon."))
    await alice.writes("What time is it?")
    await alice.sees("Noon.")
    log = alice.page.get_by_role("log")
    await expect(log).to_have_attribute("aria-live", "polite")
    await expect(log.get_by_role("article", name="Agent")).to_have_count(1)
    await expect(alice.page.get_by_role("status").first).to_contain_text("Agent is listening")


async def test_right_to_left_text_stands_so(alice: PagePerson, model: DemoModel) -> None:
    model.script(Reply("مرحبا، كيف يمكنني مساعدتك؟"))
    await alice.writes("שלום")
    answer = await alice.sees("مرحبا")
    for locator in (answer.locator(".markdown"), alice.page.locator(".bubble")):
        direction = await locator.evaluate("element => getComputedStyle(element).direction")
        assert direction == "rtl"


async def test_nothing_is_cut_off_on_a_phone(open_page: OpenPage, model: DemoModel) -> None:
    alice = await open_page("alice", options=PHONE)
    model.script(Reply(tool_calls=[tool_call("salesOfTheWeek")]), Reply("x" * 300))
    await alice.writes("y" * 300)
    await alice.sees("xxx")
    fits = f"document.documentElement.scrollWidth <= {PHONE_WIDTH}"
    assert await alice.page.evaluate(fits)
    for panel in PANELS:
        await alice.button(panel).click()
        shown = alice.page.get_by_role("complementary", name=panel)
        await shown.wait_for()
        assert await alice.page.evaluate(fits), panel
        await alice.button(f"Close {panel.lower()}").click()
    assert await findings(alice) == []


async def test_size_and_first_paint_are_bounded(build: PageBuild, alice: PagePerson) -> None:
    assert build.files is not None
    scripts, styles = (
        sum(each.stat().st_size for each in (build.files / "assets").glob(f"*.{kind}"))
        for kind in ("js", "css")
    )
    assert 0 < scripts < MOST_SCRIPT
    assert 0 < styles < MOST_STYLE
    paint = await alice.page.evaluate(
        "performance.getEntriesByName('first-contentful-paint')[0].startTime"
    )
    assert paint < FIRST_PAINT
