"""livekit-client with two peer connections, as old versions and some apps of today have it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping

import pytest
from livekit import api, rtc

from devserver.model import DemoModel, Reply
from tests.agent.clients import document
from tests.agent.clients.browser import LIVEKIT_CLIENT, OLD_LIVEKIT_CLIENT, BrowserClient
from tests.agent.clients.conftest import OpenPage
from tests.agent.clients.example_client import WITHIN
from tests.agent.conftest import StartWorker
from tests.conftest import Join
from tests.devserver.published_media import heard_hertz, tone
from tests.devserver.room_events import RoomEvents
from tests.room_server import RoomServerUnderTest

OpenOld = Callable[..., Awaitable[BrowserClient]]

EXAMPLES = document.examples("clients.md", "js")

SPEAK = """
  const context = new AudioContext();
  const oscillator = new OscillatorNode(context, { frequency: 900 });
  const destination = context.createMediaStreamDestination();
  oscillator.connect(destination);
  oscillator.start();
  await room.localParticipant.publishTrack(destination.stream.getAudioTracks()[0]);
"""

LISTEN = """
  room.on('trackSubscribed', async (track, publication, participant) => {
    const energy = async () => {
      for (const stat of (await track.receiver.getStats()).values())
        if (stat.type === 'inbound-rtp') return stat.totalAudioEnergy ?? 0;
      return 0;
    };
    track.attach();
    while (!(await energy())) await new Promise((next) => setTimeout(next, 100));
    console.log('hears', participant.identity);
  });
"""

WRITE = "await room.localParticipant.sendText('hi'.repeat(50_000), { topic: 'chat' });"

CHECK = """
  import { ConnectionCheck, CheckStatus } from 'livekit-client';

  const check = new ConnectionCheck(url, token);
  for (const each of ['checkWebsocket', 'checkWebRTC', 'checkReconnect', 'checkPublishAudio'])
    await check[each]();
  const results = check.getResults().map(({ name, status, logs }) => ({
    name,
    status: CheckStatus[status],
    errors: logs.filter(({ level }) => level === 'error').map(({ message }) => message),
  }));
  console.log(`checked ${JSON.stringify(results)}`);
"""


@pytest.fixture(params=["today's, with two connections", "an old one"])
def client_of(request: pytest.FixtureRequest) -> tuple[str, Mapping[str, object]]:
    """The package, and the options of its room."""
    if request.param == "an old one":
        return OLD_LIVEKIT_CLIENT, {}
    return LIVEKIT_CLIENT, {"singlePeerConnection": False}


async def test_the_agent_answers_and_is_called(
    client_of: tuple[str, Mapping[str, object]],
    open_page: OpenPage,
    room_server: RoomServerUnderTest,
    room_name: str,
    start_worker: StartWorker,
    model: DemoModel,
) -> None:
    model.script(Reply("It is noon."))
    dispatch = api.RoomAgentDispatch(agent_name=(await start_worker()).name)
    token = room_server.access_token("ana", room_name)
    token = token.with_room_config(api.RoomConfiguration(agents=[dispatch]))
    client = await open_page(token.to_jwt(), *client_of)
    await client.run(EXAMPLES["Reading answers"][0])
    await client.connect()
    await client.run(EXAMPLES["Asking, piece by piece"][0])
    asked = (await client.console.says("asked ")).removeprefix("asked ")
    assert await client.console.says("answered") == f"agent answered {asked} It is noon."
    await client.run("""
      console.log(await room.localParticipant.performRpc({
        destinationIdentity: agent, method: 'getWeather', payload: '{}',
      }).catch((error) => `refused with ${error.code}`));
    """)
    await client.console.says("refused with")


async def test_sound_goes_both_ways_beside_text(
    client_of: tuple[str, Mapping[str, object]],
    open_page: OpenPage,
    room_server: RoomServerUnderTest,
    room_name: str,
    join: Join,
) -> None:
    python = await join("python")
    events = RoomEvents(python, "track_subscribed")
    texts: asyncio.Queue[rtc.TextStreamReader] = asyncio.Queue()
    python.register_text_stream_handler("chat", lambda reader, _: texts.put_nowait(reader))
    client = await open_page(room_server.token("page", room_name), *client_of)
    await client.run(LISTEN + "await room.connect(url, token);")
    async with tone(python, 450), asyncio.timeout(WITHIN):
        await client.run(SPEAK)
        await client.run(
            "await room.localParticipant.sendText('hi'.repeat(50_000), {topic: 'chat'})"
        )
        track, _, speaker = await events.next("track_subscribed")
        assert speaker.identity == "page"
        assert await heard_hertz(track) == 900
        assert await (await texts.get()).read_all() == "hi" * 50_000
        await client.console.says("hears python")


async def test_one_that_finds_no_v1_joins_by_v0(
    open_page: OpenPage, room_server: RoomServerUnderTest, room_name: str, join: Join
) -> None:
    python = await join("python")
    events = RoomEvents(python, "data_received")
    client = await open_page(room_server.token("page", room_name))
    await client.run("""
      await room.simulateScenario('fail-on-v1-path');
      await room.connect(url, token);
      await room.localParticipant.publishData(new TextEncoder().encode('here'));
      console.log(`has ${room.engine.pcManager.mode}`);
    """)
    assert (await events.next("data_received"))[0].data == b"here"
    await client.console.says("has subscriber-primary")


async def test_the_check_of_a_connection_passes(
    open_page: OpenPage, room_server: RoomServerUnderTest, room_name: str
) -> None:
    client = await open_page(room_server.token("checker", room_name))
    await client.run(CHECK)
    results = json.loads((await client.console.says("checked ")).removeprefix("checked "))
    assert [(each["name"], each["status"], each["errors"]) for each in results] == [
        (name, "SUCCESS", [])
        for name in ("WebSocketCheck", "WebRTCCheck", "ReconnectCheck", "PublishAudioCheck")
    ]
