"""Whether a message is for the agent, by the number of people in the room."""

from __future__ import annotations

import asyncio

from livekit import api, rtc

from agent.inbox.people import Directory, People
from devserver.model import DemoModel
from tests.agent.chat.test_remembering import asked
from tests.agent.conftest import Enter, StartWorker
from tests.room_server import embedded_room_server


async def test_with_several_people_auto_answers_by_mention(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(REPLY_POLICY="auto")
    ann = await enter("ann", worker=worker)
    assert (await ann.ask("am I alone?")).finish_reason == "stop"
    bob = await enter("bob", worker=worker)
    await bob.say("hello, Ann")
    await bob.ask("agent, who was that?")
    assert asked(model) == ["ann: am I alone?", "bob: hello, Ann", "bob: agent, who was that?"]


async def test_a_sender_who_is_not_announced_yet_counts() -> None:
    async with embedded_room_server(timing="livekit") as server:
        agent, ann, bob = rtc.Room(), rtc.Room(), rtc.Room()
        announced = asyncio.Event()

        def on_connected(_: rtc.RemoteParticipant) -> None:
            announced.set()

        agent.on("participant_connected", on_connected)
        url = server.url.replace("ws", "http", 1)
        async with api.LiveKitAPI(url, server.api_key, server.api_secret) as service:
            people = People(agent, Directory(service, "demo"))
            try:
                await agent.connect(server.url, server.token("agent", "demo"))
                await ann.connect(server.url, server.token("ann", "demo"))
                async with asyncio.timeout(20):
                    await announced.wait()
                assert people.count_with("ann") == 1
                await bob.connect(server.url, server.token("bob", "demo"))
                assert people.count_with("bob") == 2
            finally:
                await asyncio.gather(agent.disconnect(), ann.disconnect(), bob.disconnect())
                await people.aclose()
