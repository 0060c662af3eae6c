"""Approvers at the page: whose call they are asked about, and what happens when they do nothing."""

from __future__ import annotations

import pytest
from livekit import api
from playwright.async_api import expect

from devserver.model import DemoModel, Reply, tool_call
from tests.agent.conftest import StartWorker, Worker
from tests.web.conftest import OpenPage
from tests.web.page_person import WITHIN, PagePerson
from toolkit import role, tool


@tool(approvers=role("moderator"))
async def refund(euros: int) -> str:
    """Pay money back."""
    return f"paid {euros}"


@pytest.fixture
def seconds() -> str:
    return "60"


@pytest.fixture
async def worker(start_worker: StartWorker, seconds: str) -> Worker:
    return await start_worker(tools=[refund], APPROVAL_TIMEOUT=seconds)


async def test_an_approver_sees_by_name_and_identity_whose_call_it_is(
    alice: PagePerson, open_page: OpenPage, model: DemoModel
) -> None:
    sam = await open_page("sam", role="moderator")
    model.script(Reply(tool_calls=[tool_call("refund", '{"euros": 5}')]), Reply("Paid."))
    await alice.writes("I want my money back")
    question = sam.page.get_by_role("alertdialog", name="run refund?")
    await expect(question).to_contain_text("For Alice A. (alice)", timeout=WITHIN * 1000)
    await question.get_by_role("button", name="Allow").click()
    await alice.sees("Paid.")
    await expect(question).to_have_count(0)


async def test_the_next_agents_question_takes_the_place_of_one_whose_agent_is_gone(
    open_page: OpenPage,
    worker: Worker,
    model: DemoModel,
    lk_api: api.LiveKitAPI,
    room_name: str,
) -> None:
    sam = await open_page("sam", role="moderator")
    alice = await open_page("alice")
    model.script(Reply(tool_calls=[tool_call("refund", '{"euros": 5}')]))
    await alice.writes("I want my money back")
    question = sam.page.get_by_role("alertdialog", name="run refund?")
    await expect(question).to_contain_text('"euros": 5', timeout=WITHIN * 1000)
    agent = api.RoomParticipantIdentity(room=room_name, identity="agent")
    await lk_api.room.remove_participant(agent)
    await sam.sees_agent("not here yet")
    await expect(question).to_have_count(1)
    model.script(Reply(tool_calls=[tool_call("refund", '{"euros": 6}')]), Reply("Paid."))
    await lk_api.agent_dispatch.create_dispatch(
        api.CreateAgentDispatchRequest(agent_name=worker.name, room=room_name)
    )
    await expect(question).to_contain_text('"euros": 6', timeout=WITHIN * 1000)
    await expect(question).to_have_count(1)
    await question.get_by_role("button", name="Allow").click()
    await alice.sees("Paid.")


@pytest.mark.parametrize("seconds", ["2"])
async def test_an_approver_who_does_nothing_says_neither_yes_nor_no(
    alice: PagePerson, open_page: OpenPage, model: DemoModel
) -> None:
    sam = await open_page("sam", role="moderator")
    model.script(Reply(tool_calls=[tool_call("refund", '{"euros": 5}')]), Reply("Nobody said so."))
    await alice.writes("I want my money back")
    await alice.sees("Nobody said so.")
    [(_, told)] = model.requests[-1].chat.tool_results
    assert told == "refund was not approved: nobody who may approve it decided within 2 s"
    await expect(sam.page.get_by_role("alertdialog")).to_have_count(0, timeout=WITHIN * 1000)
