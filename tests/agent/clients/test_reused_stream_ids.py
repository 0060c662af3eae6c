"""SDKs read each stream of a repeated answer, whole."""

from __future__ import annotations

import json

import pytest
from livekit import api

from devserver.model import DemoModel, Reply
from tests.agent.clients.browser import LIVEKIT_CLIENT, OLD_LIVEKIT_CLIENT
from tests.agent.clients.conftest import OpenPage
from tests.agent.clients.node import run_node
from tests.agent.conftest import StartWorker
from tests.room_server import RoomServerUnderTest

# `room` is not connected yet, `join()` connects it and returns when the agent is ready.
APP = """
const streams = [];
let tell = () => {};
room.registerTextStreamHandler('lk.transcription', async (reader) => {
  const text = await reader.readAll();
  streams.push([reader.info.streamId ?? reader.info.id, text]);
  tell();
});
const heard = async (number) => {
  while (streams.length < number) await new Promise((told) => (tell = told));
};
await join();
await room.localParticipant.sendText('How many?', { topic: 'lk.chat' });
await heard(1);
const messageId = streams[0][0];
await room.localParticipant.performRpc({
  destinationIdentity: 'agent', method: 'regenerate', payload: JSON.stringify({ messageId }),
});
await heard(2);
console.log(JSON.stringify(streams));
"""

IN_NODE = """
import { Room, RoomEvent, dispose } from '@livekit/rtc-node';
const room = new Room();
const join = async () => {
  await room.connect(process.env.LIVEKIT_URL, process.env.LIVEKIT_TOKEN, { autoSubscribe: false });
  const isReady = () => room.remoteParticipants.get('agent')?.attributes['agent.ready'];
  while (!isReady())
    await new Promise((told) => {
      room.once(RoomEvent.ParticipantConnected, told);
      room.once(RoomEvent.ParticipantAttributesChanged, told);
    });
};
"""


@pytest.fixture
async def token(
    start_worker: StartWorker, model: DemoModel, room_server: RoomServerUnderTest, room_name: str
) -> str:
    worker = await start_worker()
    model.script(Reply("One."), Reply("Two."))
    dispatch = api.RoomAgentDispatch(agent_name=worker.name)
    token = room_server.access_token("ana", room_name)
    return token.with_room_config(api.RoomConfiguration(agents=[dispatch])).to_jwt()


@pytest.mark.parametrize("package", [LIVEKIT_CLIENT, OLD_LIVEKIT_CLIENT])
async def test_livekit_client(open_page: OpenPage, token: str, package: str) -> None:
    client = await open_page(token, package)
    await client.run(
        f"const join = () => room.connect(url, token).then(agentIsReady);\n{APP}",
    )
    (first, text), (second, again) = json.loads(await client.console.says("Two."))
    assert (text, again) == ("One.", "Two.")
    # The old one has client protocol 0, like SDKs whose components append.
    assert (first == second) is (package == LIVEKIT_CLIENT)


async def test_rtc_node(room_server: RoomServerUnderTest, token: str) -> None:
    program = f"{IN_NODE}\n{APP}\nawait room.disconnect();\nawait dispose();"
    output = await run_node(program, LIVEKIT_URL=room_server.url, LIVEKIT_TOKEN=token)
    (said,) = [line for line in output.splitlines() if not line.startswith("{")]  # the SDK's log
    (first, text), (second, again) = json.loads(said)
    assert (text, again) == ("One.", "Two.")
    assert first == second
