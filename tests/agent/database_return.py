"""Wait for the end of an outage of the database, as a client sees it."""

from __future__ import annotations

import asyncio
import contextlib

from livekit import rtc

from tests.agent.chat_client import ChatClient


async def until_the_database_is_back(client: ChatClient) -> None:
    """Returns when the agent answers from its database again; only asking tells."""
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(rtc.RpcError):
                await client.call("getHistory")
                return
