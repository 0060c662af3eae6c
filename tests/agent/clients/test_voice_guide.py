"""The JavaScript of docs/voice.md does what stands beside it, as far as it needs no ears.

That the agent hears and speaks is tested with sound, in tests/agent/voice/.
"""

from __future__ import annotations

import pytest
from livekit import rtc

from devserver.model import DemoModel, Reply
from tests.agent.clients.conftest import Example, OpenClient
from tests.agent.conftest import Enter, StartWorker

DOCUMENT = "voice.md"

pytestmark = pytest.mark.parametrize("language", ["js"])


async def test_a_microphone_is_published_and_answers_are_read(
    open_client: OpenClient,
    example: Example,
    model: DemoModel,
    start_worker: StartWorker,
    enter: Enter,
) -> None:
    model.script(Reply("It is noon."))
    worker = await start_worker(VOICE="off")
    client = await open_client("ana", worker=worker)
    await client.connect()
    await client.run(example("Clients"))
    bob = await enter("bob", worker=worker)
    ana = bob.room.remote_participants["ana"]
    sources = [publication.source for publication in ana.track_publications.values()]
    assert sources == [rtc.TrackSource.SOURCE_MICROPHONE]
    await bob.ask("What time is it?")
    await client.console.says("agent It is noon.")


async def test_letting_go_of_the_button_ends_the_listening(
    open_client: OpenClient, example: Example
) -> None:
    client = await open_client("ana")
    await client.connect()
    await client.run("globalThis.button = document.createElement('button');")
    await client.run(example("Push to talk") + "await button.onpointerup(); console.log('let go');")
    await client.console.says("let go")
