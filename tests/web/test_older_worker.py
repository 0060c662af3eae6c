"""The page with an agent of an earlier version, which has fewer methods."""

from __future__ import annotations

from livekit import api
from playwright.async_api import expect

from devserver.model import DemoModel, Reply
from tests.web.page_person import WITHIN, PagePerson


async def test_what_the_agent_cannot_do_is_not_offered(
    alice: PagePerson, model: DemoModel, lk_api: api.LiveKitAPI, room_name: str
) -> None:
    model.script(Reply("Noon."), Reply("One."))
    await alice.writes("What time is it?")
    answer = await alice.sees("Noon.")
    await expect(answer.get_by_role("button", name="Answer again")).to_be_visible()
    older = api.UpdateParticipantRequest(
        room=room_name, identity="agent", attributes={"agent.ready": "ping,getHistory"}
    )
    await lk_api.room.update_participant(older)
    again = answer.get_by_role("button", name="Answer again")
    await expect(again).to_have_count(0, timeout=WITHIN * 1000)
    for label in ("Good answer", "Bad answer", "Delete answer", "Edit message", "Delete message"):
        await expect(alice.button(label)).to_have_count(0)
    await expect(answer.get_by_role("button", name="Reply")).to_be_visible()
    await alice.button("Tools").click()
    await expect(alice.page.get_by_text("This agent does not describe its tools.")).to_be_visible()
    await alice.button("Threads").click()
    await expect(alice.page.get_by_text("This agent cannot list its threads.")).to_be_visible()
    await alice.writes("And now?")
    await alice.sees("One.")
    await expect(alice.page.get_by_role("alert")).to_have_count(0)
