"""Pictures of the page in each state, for looking at: `make screenshots`.

They go to the directory SCREENSHOTS. The one that README opens with goes to docs/images as well.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from agent.cli.page_server import PageServer
from devserver.model import DemoModel, Reply, tool_call
from tests.agent.conftest import StartWorker, Worker
from tests.web.conftest import OpenPage
from tests.web.page_person import PagePerson
from tests.web.showcase import TOOLS_SHOWN

DIRECTORY = Path(os.environ.get("SCREENSHOTS", "screenshots"))
PICTURE = Path(__file__).parents[2] / "docs" / "images" / "page.png"
MOST_BYTES = 200_000

WIDE = {"viewport": {"width": 1280, "height": 900}}
PHONE = {
    "viewport": {"width": 390, "height": 800},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}

MARKDOWN = """Here is the function, with its test:

```python
def fibonacci(count: int) -> list[int]:
    numbers = [0, 1]
    while len(numbers) < count:
        numbers.append(numbers[-1] + numbers[-2])
    return numbers[:count]
```

| count | result |
| --- | --- |
| 1 | `[0]` |
| 5 | `[0, 1, 1, 2, 3]` |

1. It takes **linear** time.
2. It never recurses, so *large* counts are fine.
"""


@pytest.fixture
def room_name(request: pytest.FixtureRequest) -> str:
    """As it stands on the pictures; one for each test: an agent comes with a new room."""
    names = {"light": "support", "dark": "design", "phone": "orders", "side": "workshop"}
    return next(name for part, name in names.items() if part in request.node.name)


@pytest.fixture
async def worker(start_worker: StartWorker) -> Worker:
    return await start_worker(tools=TOOLS_SHOWN)


async def shoot(person: PagePerson, name: str) -> bytes:
    await person.page.wait_for_timeout(400)  # Until what moves has come to rest.
    return await person.page.screenshot(path=DIRECTORY / f"{name}.png", animations="disabled")


async def talk(alice: PagePerson, bob: PagePerson, model: DemoModel) -> None:
    """A conversation with most of what an answer can be."""
    model.script(
        Reply(tool_calls=[tool_call("findOrder", '{"number": "A-1042"}')]),
        Reply("Order **A-1042** left the warehouse this morning and arrives on Thursday."),
        Reply("Only you see this: the discount code is `WELCOME`."),
    )
    await alice.writes("Where is my order A-1042?")
    await alice.sees("arrives on Thursday")
    await alice.sees("Track it")
    await bob.sees("Track it")
    await bob.button("React").last.click()
    await bob.button("Heart").last.click()
    await alice.page.locator(".reactions").wait_for()
    await alice.writes("Is there a discount for me?", privately=True)
    await alice.sees("WELCOME")


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_conversation(open_page: OpenPage, model: DemoModel, theme: str) -> None:
    alice = await open_page("alice", name="Alice Adams", theme=theme, options=WIDE)
    bob = await open_page("bob", name="Bob Brown", theme=theme, options=WIDE)
    await shoot(alice, f"1-empty-{theme}")
    await talk(alice, bob, model)
    await alice.box.blur()
    picture = await shoot(alice, f"2-conversation-{theme}")
    if theme == "light":
        PICTURE.parent.mkdir(exist_ok=True)
        PICTURE.write_bytes(picture)
        assert len(picture) < MOST_BYTES
    model.script(Reply(MARKDOWN))
    await alice.writes("Write fibonacci with a table of results.")
    await alice.sees("never recurses")
    await shoot(alice, f"3-markdown-{theme}")
    model.script(Reply(tool_calls=[tool_call("salesOfTheWeek")]), Reply("Saturday was best."))
    await alice.writes("How did we sell this week?")
    await alice.sees("Saturday was best.")
    await shoot(alice, f"4-chart-{theme}")
    model.script(Reply(tool_calls=[tool_call("offerSeats")]), Reply("Choose your seats."))
    await alice.writes("I need seats.")
    await alice.sees("Choose your seats.")
    await shoot(alice, f"5-form-{theme}")
    mail = '{"to": "bob@example.com", "text": "See you on Monday"}'
    model.script(Reply(tool_calls=[tool_call("sendMail", mail)]), Reply("Sent."))
    await alice.writes("Mail Bob that I come on Monday.")
    await alice.button("Allow").wait_for()
    await shoot(alice, f"6-approval-{theme}")
    await alice.button("Allow").click()
    await alice.sees("Sent.")
    await alice.button("Tools").click()
    await alice.page.get_by_text("getCurrentTime", exact=True).last.click()
    await alice.page.locator(".tool[open]").get_by_role("button", name="Call").click()
    await alice.page.locator(".outcomes li").wait_for()
    await shoot(alice, f"7-tools-{theme}")
    await alice.button("Wire").click()
    await shoot(alice, f"8-wire-{theme}")
    await alice.button("Whiteboard").click()
    await bob.button("Whiteboard").click()
    board = alice.page.locator(".board-surface")
    box = await board.bounding_box()
    assert box is not None
    await alice.page.mouse.move(box["x"] + 90, box["y"] + 300)
    await alice.page.mouse.down()
    for step in range(30):
        await alice.page.mouse.move(box["x"] + 90 + step * 10, box["y"] + 300 - (step % 10) * 12)
    await alice.page.mouse.up()
    await alice.page.get_by_role("textbox", name="Note").fill("Ship on Thursday")
    await alice.button("Put up").click()
    await bob.page.locator(".board-surface").hover(position={"x": 250, "y": 200})
    await alice.page.locator(".cursor").wait_for()
    await shoot(alice, f"9-whiteboard-{theme}")
    await alice.button("People").click()
    await shoot(alice, f"10-people-{theme}")
    await alice.button("Settings").click()
    await shoot(alice, f"11-settings-{theme}")


async def test_phone(open_page: OpenPage, model: DemoModel) -> None:
    alice = await open_page("alice", name="Alice Adams", theme="light", options=PHONE)
    bob = await open_page("bob", name="Bob Brown", options=WIDE)
    await talk(alice, bob, model)
    await shoot(alice, "12-phone")
    await alice.button("Tools").click()
    await alice.page.locator(".tool").first.wait_for()
    await shoot(alice, "13-phone-tools")


async def test_streaming_and_side_by_side(
    open_page: OpenPage, page_server: PageServer, model: DemoModel, room_name: str
) -> None:
    alice = await open_page("carol", name="Carol", theme="light", options=WIDE)
    await alice.page.goto(f"{page_server.url}/?side-by-side&room={room_name}&theme=light")
    frames = [alice.page.frame_locator(f"iframe[title={name}]") for name in ("Alice", "Bob")]
    for frame in frames:
        await frame.get_by_text("is listening").wait_for()
    gate = asyncio.Event()
    model.script(Reply(tokens=["Both of you ", "read this."], after=1, pause=gate))
    box = frames[0].get_by_role("textbox")
    await box.fill("Who reads this?")
    await box.press("Enter")
    for frame in frames:
        await frame.get_by_text("Both of you").wait_for()
    await shoot(alice, "14-side-by-side")
    gate.set()
    for frame in frames:
        await frame.get_by_text("read this.").wait_for()
