"""The page goes on when the connection is lost, and when the agent is replaced."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from urllib.parse import urlsplit

import pytest
from livekit import api
from playwright.async_api import expect

from devserver.model import DemoModel, Reply
from tests.agent.conftest import Worker
from tests.room_server import RoomServerUnderTest
from tests.tcp_relay import TcpRelay
from tests.web.page_person import WITHIN, PagePerson


@pytest.fixture
async def relay(room_server: RoomServerUnderTest) -> AsyncGenerator[TcpRelay]:
    async with TcpRelay(urlsplit(room_server.url).port or 0) as relay:
        yield relay


@pytest.fixture
def room_url(relay: TcpRelay) -> str:
    return f"ws://127.0.0.1:{relay.port}"


async def test_a_lost_connection_is_announced_and_restored(
    alice: PagePerson, relay: TcpRelay, model: DemoModel
) -> None:
    model.script(Reply("Noon."), Reply("One o'clock."))
    await alice.writes("What time is it?")
    await alice.sees("Noon.")
    relay.cut()
    banner = alice.page.get_by_text("The connection was lost")
    await expect(banner).to_be_visible(timeout=WITHIN * 1000)
    relay.mend()
    await expect(banner).to_have_count(0, timeout=WITHIN * 1000)
    await alice.writes("And now?")
    await alice.sees("One o'clock.")
    assert await alice.texts() == ["What time is it?", "Noon.", "And now?", "One o'clock."]


async def test_the_next_agent_answers_questions_of_the_meantime(
    alice: PagePerson, worker: Worker, model: DemoModel, lk_api: api.LiveKitAPI, room_name: str
) -> None:
    model.script(Reply(tokens=["One. ", "Two."], after=1, pause=asyncio.Event()))
    await alice.writes("How many?")
    await alice.sees("One. ")
    agent = api.RoomParticipantIdentity(room=room_name, identity="agent")
    await lk_api.room.remove_participant(agent)
    await alice.sees_agent("not here yet")
    await alice.writes("Is anybody there?")
    model.when("anybody", Reply("I am."))
    model.when("How many", Reply("One. Two."))
    await lk_api.agent_dispatch.create_dispatch(
        api.CreateAgentDispatchRequest(agent_name=worker.name, room=room_name)
    )
    await alice.sees("I am.")
    await alice.sees("One.")
    texts = await alice.texts()
    assert len([text for text in texts if text.startswith("One.")]) == 1
    assert texts[-2:] == ["Is anybody there?", "I am."]
