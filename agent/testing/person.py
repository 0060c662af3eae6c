"""Person: somebody in a room of a test, with the agent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from livekit import rtc
from livekit.agents import llm

from agent.client import Delta, NoAnswerError, RoomAgent, Shown
from agent.client.message import ROOM, Message
from agent.testing.exchange import Exchange

WITHIN: Final = 20.0
"""Timeout of everything that a test waits for, in seconds."""

SaidAbout = Callable[[str, str, str | None], Sequence[llm.ChatItem]]
"""Looks up the model's messages and calls for a message, by its sender, its id, and the owner of
its thread (None: the room's)."""


class Person:
    """Writes to the agent and reads its answers.

    Attributes:
        room: the connection.
        agent: the client, for everything else: files, approvals, actions, state.
    """

    def __init__(self, agent: str, said_about: SaidAbout) -> None:
        """`agent`: the agent's identity."""
        self.room = rtc.Room()
        self.agent = RoomAgent(self.room, identity=agent)
        self._said_about = said_about
        self._unasked: list[str] = []

    @property
    def identity(self) -> str:
        return self.room.local_participant.identity

    async def ask(
        self, text: str, *, private: bool = False, attachments: Sequence[Path] = ()
    ) -> Exchange:
        """Writes a message; returns once it has been answered, however that ended."""
        began = time.monotonic()
        answer = await self.agent.ask(
            text, private=private, attachments=attachments, silence=WITHIN
        )
        said, parts = "", dict[str, Mapping[str, Any]]()
        try:
            async for event in answer:
                match event:
                    case Delta():
                        said = event.text if event.restarts else said + event.text
                    case Shown():
                        parts[event.part["id"]] = event.part
        except NoAnswerError:
            if answer.finish_reason is None:
                raise
        seconds = time.monotonic() - began
        owner = self.identity if private else None
        items = self._said_about(self.identity, answer.question_id, owner)
        return Exchange(
            said, answer.finish_reason or "", tuple(parts.values()), tuple(items), seconds
        )

    async def told(self, *, private: bool = False) -> str:
        """The next thing that the agent says unasked, once it has ended; each once. Raises
        TimeoutError."""
        changed = asyncio.Event()
        stop = self.agent.messages.on_change(lambda _: changed.set())
        try:
            async with asyncio.timeout(WITHIN):
                while (message := self._next_unasked(private=private)) is None:
                    changed.clear()
                    await changed.wait()
        finally:
            stop()
        self._unasked.append(message.id)
        return message.text

    def _next_unasked(self, *, private: bool) -> Message | None:
        thread = f"private:{self.identity}" if private else ROOM
        for message in self.agent.messages:
            is_whole = message.role == "assistant" and message.finish_reason is not None
            unasked = is_whole and message.in_reply_to is None and message.thread == thread
            if unasked and message.id not in self._unasked:
                return message
        return None

    async def leave(self) -> None:
        """Leaves the room."""
        await self.agent.aclose()
        await self.room.disconnect()
