"""Whether memory grows with rooms that have come and gone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from bench.peers import agent
from bench.plan import SHORT

if TYPE_CHECKING:
    from bench.stage import Stage

PEER = agent("agent", 1)
AT_ONCE = 5
EVERY = 50


async def growth(stage: Stage, rooms: int) -> list[dict[str, Any]]:
    """The memory, in MB, after every 50 rooms; each room had an answer."""
    points: list[dict[str, Any]] = []
    done = 0
    while done < rooms:
        names = [stage.new_room() for _ in range(AT_ONCE)]
        await asyncio.gather(*(_stay(stage, name) for name in names))
        done += AT_ONCE
        if done % EVERY == 0:
            await stage.worker.settle()
            points.append({"rooms": done, "memory": stage.worker.memory()})
    return points


async def _stay(stage: Stage, room: str) -> None:
    await stage.join(room)
    await stage.clients.ask(room, *SHORT)
    await stage.clients.leave(room)
    await stage.server.close(room)
