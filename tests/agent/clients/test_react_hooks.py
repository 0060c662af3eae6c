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


async def ask(
    page: ReactPage, model: DemoModel, text: str, answer: str, *others: ReactPage, **options: object
) -> str:
    """Asks, and is answered once everybody shows the question; returns the question's id.

    Hooks that hear of both at once show the answer first.
    """
    gate = asyncio.Event()
    model.script(Reply(answer, pause=gate))
    question = await page.send(text, **options)
    for each in (page, *others):
        await each.shows(text)
    gate.set()
    for each in (page, *others):
        await each.shows(answer)
    return question


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
        await ask(alice, model, f"Question {number}?", f"Answer {number}.")
    before = await alice.mounts()
    segment = await segment_of(alice, "Answer 0.")
    model.script(Reply(tokens=["Another ", "answer."]))
    await alice.call("regenerate", json.dumps({"messageId": segment}))
    await alice.shows("Another answer.")
    assert (await alice.texts())[:3] == ["Question 0?", "Another answer.", "Question 1?"]
    assert await alice.mounts() == before == [8, 0, 8]


async def test_a_late_joiner_sees_one_message_too(
    alice: ReactPage, open_react: OpenReact, model: DemoModel
) -> None:
    gate = asyncio.Event()
    model.script(Reply(tokens=["One. ", "Two."], after=1, pause=gate))
    question = await alice.send("How many?")
    await alice.shows("One. ")
    carol = await open_react("carol")
    await carol.start()
    await carol.shows("One. ")
    gate.set()
    await carol.shows("One. Two.")
    await ask(alice, model, "And then?", "Four.", carol)
    model.script(Reply("Three."))
    await alice.call("regenerate", json.dumps({"messageId": question}))
    for page, texts in (
        (alice, ["How many?", "Three.", "And then?", "Four."]),
        (carol, ["Three.", "And then?", "Four."]),
    ):
        await page.shows("Three.")
        assert await page.texts() == texts
        assert await page.mounts() == [len(texts), 0, len(texts)]


@pytest.mark.parametrize("scope", ["room", "private"])
async def test_an_edited_question_shows_its_new_text_and_its_answer_stays(
    alice: ReactPage, open_react: OpenReact, model: DemoModel, scope: str
) -> None:
    bob = await open_react("bob")
    await bob.start()
    others, options = [bob], dict[str, object]()
    if scope == "private":
        others = []
        options = {"attributes": {"scope": "private"}, "destinationIdentities": ["agent"]}
    question = await ask(alice, model, "What time is it?", "Noon.", *others, **options)
    await ask(alice, model, "And the weather?", "Rain.", *others, **options)
    before = await alice.mounts()
    # The agent hears of somebody when the others do, up to three seconds late.
    await alice.until("app.room.remoteParticipants.has('bob')")
    model.script(Reply("One o'clock."))
    text = "What time is it in Paris?" * 2_000
    await alice.call("editMessage", json.dumps({"messageId": question, "text": text}))
    await alice.shows("One o'clock.")
    await alice.shows(text)
    after = [text, "One o'clock.", "And the weather?", "Rain."]
    assert await alice.texts() == after
    assert await alice.mounts() == before == [4, 0, 4]
    edited = (await alice.get("chat"))[0]
    assert edited == {"id": question, "message": text, "isEdited": True}
    if scope == "private":
        assert await bob.texts() == []
    else:
        await bob.shows(text)
        await bob.shows("One o'clock.")
        assert await bob.texts() == after
        assert await bob.mounts() == before


async def test_hooks_say_what_the_agent_is_and_does(
    open_react: OpenReact, model: DemoModel, enter: Enter, worker: Worker
) -> None:
    bob = await enter("bob", worker=worker)
    alice = await open_react("alice")
    await alice.start()
    assert await alice.get("agent") == {"identity": "agent", "name": "Agent", "canListen": True}
    gate = asyncio.Event()
    model.script(Reply(tokens=["One. ", "Two."], after=1, pause=gate, first_token_delay=0.3))
    await alice.send("How many?")
    await alice.shows("One. ")
    await alice.until("app.voiceAssistant === 'speaking'")
    gate.set()
    await alice.shows("One. Two.")
    await alice.until("app.voiceAssistant === 'listening'")
    assert await alice.get("transcriptions") == ["One. Two."]
    assert [each["message"] for each in await alice.get("chat")] == ["How many?"]
    shown = [(each["from"], each["type"]) for each in await alice.get("messages")]
    assert shown == [("alice", "chatMessage"), ("agent", "agentTranscript")]
    states = await alice.get("states")
    assert states[0] == "disconnected"
    assert states[-3:] in (
        ["listening", "speaking", "listening"],
        ["thinking", "speaking", "listening"],
    )
    await bob.send_packet("hello from bob", topic="my-app")
    await alice.until("app.packets.includes('hello from bob')")


async def test_packets_of_an_app_of_its_own_are_no_error(
    alice: ReactPage, enter: Enter, worker: Worker
) -> None:
    bob = await enter("bob", worker=worker)
    await alice.run(
        "app.room.on('dataReceived', (data, from, kind, topic) =>"
        " topic === 'system' && app.packets.push(new TextDecoder().decode(data)))"
    )
    await alice.run("app.publish(JSON.stringify({ type: 'move', x: 1 }))")
    await alice.run("app.publish('not JSON')")
    await bob.until(lambda: len([1 for topic, _ in bob.packets if topic == "my-app"]) == 2)
    await alice.send("Are you there?")  # Answered after the packets.
    await alice.until("app.packets.some((each) => each.includes('answer.finished'))")
    assert not [each for each in await alice.get("packets") if '"error"' in each]
