"""Rooms that come and go quickly, a third of them before their agent has come."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

from bench.figures import percentile
from bench.peers import agent
from bench.plan import SHORT

if TYPE_CHECKING:
    from bench.client import Answer
    from bench.stage import Stage

PEER = agent("agent", 2)
AT_ONCE = 10
HASTY = 3
"""One in this many leaves while the agent is still connecting."""
HASTE = 0.03
"""Seconds for which it stays."""


async def churn(stage: Stage, rooms: int) -> dict[str, Any]:
    """Results of many joins and leaves: the clients that stayed, and the worker."""
    before = stage.worker.processes()
    memory = stage.worker.memory()
    joins: list[float] = []
    answers: list[Answer] = []
    names = iter([stage.new_room() for _ in range(rooms)])
    left_early, numbers = 0, itertools.count()

    async def come_and_go() -> None:
        nonlocal left_early
        for name in names:
            hasty = next(numbers) % HASTY == 0
            took = await (stage.join(name, within=HASTE) if hasty else stage.join(name))
            if took is not None:
                joins.append(took)
                answers.append(await stage.clients.ask(name, *SHORT))
            left_early += took is None
            await stage.clients.leave(name)
            await stage.server.close(name)

    await asyncio.gather(*(come_and_go() for _ in range(AT_ONCE)))
    await stage.worker.settle()
    return {
        "rooms": rooms,
        "answered": len(answers),
        "leftEarly": left_early,
        "joinP50": percentile(joins, 50),
        "joinP99": percentile(joins, 99),
        "overheadP99": percentile([answer.overhead for answer in answers], 99),
        "processesLost": len(before - stage.worker.processes()),
        "memoryBefore": memory,
        "memoryAfter": stage.worker.memory(),
    }
