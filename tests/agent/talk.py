"""A conversation with the agent, in the room or privately, told in the same words."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from livekit import rtc

from tests.agent.chat_client import ChatClient

Scope = Literal["room", "private"]


@dataclass(frozen=True)
class Talk:
    """The actions of one person in either kind of conversation."""

    client: ChatClient
    scope: Scope = "room"

    @property
    def thread(self) -> str:
        return "room" if self.scope == "room" else f"private:{self.client.me.identity}"

    async def say(self, text: str) -> str:
        """Writes a message; returns its id."""
        return await self.client.say(text, scope=self.scope)

    async def ask(self, text: str) -> dict[str, Any]:
        """Writes a message; returns the `answer.finished` of its answer."""
        return await self.answered(await self.say(text))

    async def answered(self, message: str, times: int = 1) -> dict[str, Any]:
        """The notice of the end of a message's answer, once there are so many."""
        notices = await self.client.until(
            lambda: self.endings(message) if len(self.endings(message)) >= times else []
        )
        return notices[-1]

    def endings(self, message: str) -> list[dict[str, Any]]:
        """The notices of the ends of a message's answers."""
        return self.client.notices("answer.finished", inReplyTo=message)

    async def begun(self, message: str) -> str:
        """The segment id of a message's answer, once there is text of it."""
        if self.scope == "room":
            answer = await self.client.begun_answer_to(message)
            return answer.attributes["lk.segment_id"]
        packets = await self.client.until(
            lambda: [
                body
                for topic, body in self.client.packets
                if topic == "llm-response" and body["inReplyTo"] == message and body["text"]
            ]
        )
        return str(packets[0]["id"])

    async def call(self, method: str, **arguments: object) -> dict[str, Any]:
        return json.loads(await self.client.ask_method(method, json.dumps(arguments)))

    async def refused(self, method: str, **arguments: object) -> rtc.RpcError:
        """The error that a call is answered with."""
        with pytest.raises(rtc.RpcError) as caught:
            await self.call(method, **arguments)
        return caught.value

    async def history(self) -> list[dict[str, Any]]:
        return (await self.call("getHistory", thread=self.thread))["messages"]

    async def stored(self) -> list[tuple[str, str, str | None]]:
        """The stored messages: id, text, finish reason."""
        return [(m["id"], m["text"], m.get("finishReason")) for m in await self.history()]

    async def until_stored(self, message: str) -> None:
        """Returns when the worker has taken a message in; a call may overtake it."""
        async with asyncio.timeout(20):
            while message not in [each["id"] for each in await self.history()]:
                pass
