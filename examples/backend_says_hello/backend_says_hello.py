"""A backend that makes the agent of a room say something, by LiveKit's server API.

python examples/backend_says_hello/backend_says_hello.py demo "Your order has left." ana
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import timedelta
from typing import Any

import aiohttp
from livekit import api
from livekit.protocol.room import PerformRpcRequest, PerformRpcResponse


class Agent:
    """The agent of one room, as its backend calls it."""

    def __init__(self, http: aiohttp.ClientSession, room: str, identity: str = "agent") -> None:
        server = os.environ["LIVEKIT_URL"].replace("ws", "http", 1)
        self._http = http
        self._url = f"{server}/twirp/livekit.RoomService/PerformRpc"
        self._room = room
        self._identity = identity

    async def call(self, method: str, **arguments: object) -> dict[str, Any]:
        """Calls a method in the backend's name; raises RuntimeError with the agent's error."""
        token = self._token()
        request = PerformRpcRequest(
            room=self._room,
            destination_identity=self._identity,
            method=method,
            payload=json.dumps({**arguments, "token": token}),
        )
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/protobuf"}
        sent = request.SerializeToString()
        async with self._http.post(self._url, data=sent, headers=headers) as response:
            if response.status != 200:
                raise RuntimeError((await response.json())["msg"])
            return json.loads(PerformRpcResponse.FromString(await response.read()).payload)

    def _token(self) -> str:
        """For this room and a minute: the server's API takes it, and the agent believes it."""
        grants = api.VideoGrants(room_admin=True, room=self._room)
        # Signed with LIVEKIT_API_KEY and LIVEKIT_API_SECRET.
        return api.AccessToken().with_grants(grants).with_ttl(timedelta(minutes=1)).to_jwt()


async def main(room: str, text: str, to: str | None = None) -> None:
    """Says a text to everybody, or to one participant in private."""
    async with aiohttp.ClientSession() as http:
        agent = Agent(http, room)
        said = await agent.call("say", text=text, to=to, idempotencyKey=f"{room} {text}")
        sys.stdout.write(f"{said['segmentId']}\n")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
