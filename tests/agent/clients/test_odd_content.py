"""Odd content from livekit-client is answered or refused, never silently ignored."""

from __future__ import annotations

import json

import pytest
from livekit import api

from tests.agent.clients.browser import LIVEKIT_CLIENT, OLD_LIVEKIT_CLIENT
from tests.agent.clients.conftest import OpenPage
from tests.agent.conftest import StartWorker
from tests.room_server import RoomServerUnderTest

# The first two declare a size that is not that of the text, in bytes of UTF-8; 12 is.
APP = """
room.registerTextStreamHandler('llm-response', async (reader) => {
  await reader.readAll();
  console.log(`answered ${reader.info.attributes.in_reply_to}`);
});
room.on('dataReceived', (data, participant, kind, topic) => {
  const packet = JSON.parse(new TextDecoder().decode(data));
  if (topic !== 'system' || packet.event !== 'error') return;
  for (const id of packet.messageIds) console.log(`refused ${packet.code} ${id}`);
});
await room.connect(url, token).then(agentIsReady);
const send = async (totalSize) => {
  const writer = await room.localParticipant.streamText({ topic: 'lk.chat', totalSize });
  await writer.write('😀😀😀');
  await writer.close();
  return writer.info.id;
};
const ids = [await send(6), await send(20), await send(12), await send(undefined)];
console.log(`sent ${JSON.stringify(ids)}`);

const mark = [0xef, 0xbb, 0xbf];
const packet = new TextEncoder().encode('{"type":"chat","id":"marked","text":"hello"}');
await room.localParticipant.publishData(new Uint8Array([...mark, ...packet]), { reliable: true });
"""


@pytest.mark.parametrize("package", [LIVEKIT_CLIENT, OLD_LIVEKIT_CLIENT])
async def test_wrong_sizes_are_refused_and_a_byte_order_mark_is_skipped(
    open_page: OpenPage,
    start_worker: StartWorker,
    room_server: RoomServerUnderTest,
    room_name: str,
    package: str,
) -> None:
    worker = await start_worker()
    rooms = api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name=worker.name)])
    token = room_server.access_token("ana", room_name).with_room_config(rooms)
    client = await open_page(token.to_jwt(), package)
    await client.run(APP)
    *wrong, right, undeclared = json.loads(
        (await client.console.says("sent ")).removeprefix("sent ")
    )
    for each in wrong:
        await client.console.says(f"refused 400 {each}")
    for each in (right, undeclared, "marked"):
        await client.console.says(f"answered {each}")
    refused = [line for line in client.console.lines if line.startswith("refused")]
    assert len(refused) == len(wrong)
