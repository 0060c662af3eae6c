"""LiveKit's React hooks show one message for one answer, whatever becomes of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol

import pytest
from livekit import api

from devserver.model import DemoModel, Reply
from tests.agent.clients import react_page
from tests.agent.clients.browser import Chromium
from tests.agent.clients.react_page import ReactPage
from tests.agent.conftest import Enter, StartWorker, Worker
from tests.room_server import RoomServerUnderTest


class OpenReact(Protocol):
    async def __call__(self, identity: str) -> ReactPage: ...


@pytest.fixture
async def worker(start_worker: StartWorker) -> Worker:
    return await start_worker()


@pytest.fixture(scope="package")
async def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return await react_page.bundle(tmp_path_factory.mktemp("react"))


@pytest.fixture
async def open_react(
    chromium: Chromium | None,
    script: Path,
    room_server: RoomServerUnderTest,
    room_name: str,
    worker: Worker,
) -> AsyncGenerator[OpenReact]:
    async with AsyncExitStack() as stack:

        async def open_for(identity: str) -> ReactPage:
            if chromium is None:
                pytest.skip("no Chromium: `make setup-clients` installs it")
            dispatch = api.RoomAgentDispatch(agent_name=worker.name)
            token = room_server.access_token(identity, room_name).with_room_config(
                api.RoomConfiguration(agents=[dispatch])
            )
            page = await ReactPage.open(chromium, script, room_server.url, token.to_jwt())
            stack.push_async_callback(page.aclose)
            return page

        yield open_for


@pytest.fixture
async def alice(open_react: OpenReact) -> ReactPage:
    page = await open_react("alice")
    await page.start()
    return page


async def segment_of(page: ReactPage, text: str) -> str:
    """The id of the message with this text."""
    (found,) = [each["id"] for each in await page.get("messages") if each["message"] == text]
    return found


async def test_a_private_answer_is_one_message(
    alice: ReactPage, enter: Enter, model: DemoModel, worker: Worker
) -> None:
    bob = await enter("bob", worker=worker)
    tokens = [f"word{number} " for number in range(8)]
    gate = asyncio.Event()
    model.when("between us", Reply(tokens=tokens, token_delay=0.25, after=4, pause=gate))
    model.when("what are you doing", Reply("I answer Alice.", pause=gate))
    private = {"attributes": {"scope": "private"}, "destinationIdentities": ["agent"]}
    await alice.send("between us?", **private)
    await alice.shows("".join(tokens[:4]))
    await bob.say("what are you doing?")
    await alice.shows("what are you doing?")
    gate.set()
    await alice.shows("".join(tokens))
    await alice.shows("I answer Alice.")
    assert await alice.texts() == [
        "between us?",
        "".join(tokens),
        "what are you doing?",
        "I answer Alice.",
    ]
    assert await alice.mounts() == [4, 0, 4]


async def test_an_answer_that_is_given_again_stays_where_it_was(
    alice: ReactPage, model: DemoModel
) -> None:
    for number in range(4):
        model.script(Reply(f"Answer {number}."))
        await alice.send(f"Question {number}?")
        await alice.shows(f"Answer {number}.")
    before = await alice.mounts()
    segment = await segment_of(alice, "Answer 0.")
    model.script(Reply(tokens=["Another ", "answer."]))
    await alice.call("regenerate", json.dumps({"messageId": segment}))
    await alice.shows("Another answer.")
    assert (await alice.texts())[:3] == ["Question 0?", "Another answer.", "Question 1?"]
    assert await alice.mounts() == before == [8, 0, 8]


async def test_the_answer_to_an_edited_question_stays_where_it_was(
    alice: ReactPage, model: DemoModel
) -> None:
    model.script(Reply("Noon."), Reply("Rain."), Reply("One o'clock."))
    question = await alice.send("What time is it?")
    await alice.shows("Noon.")
    await alice.send("And the weather?")
    await alice.shows("Rain.")
    before = await alice.mounts()
    edit = {"messageId": question, "text": "What time is it in Paris?"}
    await alice.call("editMessage", json.dumps(edit))
    await alice.shows("One o'clock.")
    assert (await alice.texts())[1:] == ["One o'clock.", "And the weather?", "Rain."]
    assert await alice.mounts() == before == [4, 0, 4]
