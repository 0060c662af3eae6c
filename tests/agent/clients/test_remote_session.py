"""A remote session in livekit-client, asked as Agents Playground asks it."""

from __future__ import annotations

import json
from typing import Final

import pytest
from livekit import api
from livekit.protocol.agent_pb import agent_session as pb

from tests.agent.clients.browser import LIVEKIT_CLIENT, OLD_LIVEKIT_CLIENT
from tests.agent.clients.conftest import OpenPage
from tests.agent.conftest import StartWorker
from tests.room_server import RoomServerUnderTest

ASK: Final = """
const topic = 'lk.agent.session';
const response = new Promise((resolve) => {
  room.registerByteStreamHandler(topic, async (reader) => resolve(await reader.readAll()));
});
const writer = await room.localParticipant.streamBytes({ topic, destinationIdentities: ['agent'] });
await writer.write(new Uint8Array(%s));
await writer.close();
const bytes = (await response).flatMap((part) => [...part]);
console.log(`response: ${JSON.stringify(bytes)}`);
"""


async def asked(
    page: OpenPage, package: str, token: api.AccessToken, request: pb.SessionRequest
) -> pb.SessionResponse:
    """The response to a request of somebody who has just come."""
    client = await page(token.to_jwt(), package)
    await client.connect()
    message = pb.AgentSessionMessage(request=request).SerializeToString()
    await client.run(ASK % json.dumps(list(message)))
    line = await client.console.says("response: ")
    data = bytes(json.loads(line.removeprefix("response: ")))
    return pb.AgentSessionMessage.FromString(data).response


@pytest.mark.parametrize("package", [LIVEKIT_CLIENT, OLD_LIVEKIT_CLIENT])
async def test_a_moderator_is_answered_and_others_are_refused(
    open_page: OpenPage,
    start_worker: StartWorker,
    room_server: RoomServerUnderTest,
    room_name: str,
    package: str,
) -> None:
    instructions = "Be brief. " * 2_000  # More than one packet.
    worker = await start_worker(AGENT_INSTRUCTIONS=instructions)
    rooms = api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name=worker.name)])
    ana = room_server.access_token("ana", room_name).with_attributes({"role": "moderator"})
    bob = room_server.access_token("bob", room_name)
    info = pb.SessionRequest(request_id="r-1", get_agent_info=pb.SessionRequest.GetAgentInfo())
    told = await asked(open_page, package, ana.with_room_config(rooms), info)
    assert (told.request_id, told.get_agent_info.instructions) == ("r-1", instructions.strip())
    ping = pb.SessionRequest(request_id="r-2", ping=pb.SessionRequest.Ping())
    refused = await asked(open_page, package, bob, ping)
    assert refused.request_id == "r-2"
    assert refused.error == "403: Only moderators may use lk.agent.session."
