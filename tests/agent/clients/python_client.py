"""The Python rtc SDK: examples are run in this process."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import uuid
from types import FunctionType
from typing import Any

from livekit import rtc

from tests.agent.clients.example_client import WITHIN, Console


class PythonClient:
    """Runs examples as the body of an async function, with their print() going to the console."""

    def __init__(self, url: str, token: str) -> None:
        self.console = Console()
        self.room = rtc.Room()
        self._url = url
        self._token = token
        self._names: dict[str, Any] = {
            "asyncio": asyncio,
            "json": json,
            "rtc": rtc,
            "uuid": uuid,
            "room": self.room,
            "agent": "agent",
            "url": url,
            "token": token,
            "print": self._print,
        }

    async def connect(self) -> None:
        changed = asyncio.Event()
        for event in ("participant_connected", "participant_attributes_changed"):
            self.room.on(event, lambda *_: changed.set())  # pyright: ignore[reportUnknownLambdaType]
        await self.room.connect(self._url, self._token)
        async with asyncio.timeout(WITHIN):
            while not self._is_ready():
                changed.clear()
                await changed.wait()

    async def run(self, code: str) -> None:
        module = compile(code, "<example>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        body = FunctionType(module, self._names)()
        if inspect.iscoroutine(body):
            await body

    async def aclose(self) -> None:
        for room in (self.room, self._names["room"]):  # an example may have made its own
            await room.disconnect()

    def _is_ready(self) -> bool:
        agent = self.room.remote_participants.get("agent")
        return agent is not None and "agent.ready" in agent.attributes

    def _print(self, *values: object) -> None:
        self.console.write(" ".join(map(str, values)))
