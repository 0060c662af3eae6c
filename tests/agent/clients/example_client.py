"""Somebody in a room whose app is an example of the documents, in whichever language."""

from __future__ import annotations

import asyncio
from typing import Protocol

WITHIN = 20.0


class Console:
    """The output of an example; a test waits for a line of it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._changed = asyncio.Event()

    def write(self, line: str) -> None:
        self.lines.append(line)
        self._changed.set()

    async def says(self, text: str) -> str:
        """The first line, of all so far and to come, that has this in it."""
        async with asyncio.timeout(WITHIN):
            while not (lines := [line for line in self.lines if text in line]):
                self._changed.clear()
                await self._changed.wait()
            return lines[0]


class ExampleClient(Protocol):
    """Runs examples, in which `room` is a Room and `agent` the agent's identity."""

    console: Console

    async def connect(self) -> None:
        """Joins the room; returns when the agent can be called."""
        ...

    async def run(self, code: str) -> None:
        """Runs an example to its end; raises what it throws."""
        ...
