"""Three times the rooms that the worker may hold."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from bench.figures import percentile
from bench.peers import agent
from bench.plan import PACE

if TYPE_CHECKING:
    from bench.stage import Stage

CAPACITY = 10
"""Rooms that a process may hold here."""
PEER = agent("agent", 2, AGENT_MAX_ROOMS=str(CAPACITY))
TIMES = 3
WITHIN = 10.0
"""Seconds after which a room counts as having no agent."""
TOKENS = 60
TOO_FAST = 0.002
"""Seconds between tokens: 500 a second in each room, more than the machine carries."""


async def admission(stage: Stage) -> dict[str, Any]:
    """The numbers of accepted and refused rooms, and the fate of the accepted ones."""
    capacity = CAPACITY * stage.peer.workers
    names = [stage.new_room() for _ in range(capacity * TIMES)]
    joins = await asyncio.gather(*(stage.join(name, within=WITHIN) for name in names))
    taken = [name for name, took in zip(names, joins, strict=True) if took is not None]
    return {
        "capacity": capacity,
        "asked": len(names),
        "taken": len(taken),
        "paced": await _answers(stage, taken, PACE),
        "tooFast": await _answers(stage, taken, TOO_FAST),
    }


async def _answers(stage: Stage, rooms: list[str], delay: float) -> dict[str, Any]:
    """An answer in each room at once. `ask` checks that every token arrives."""
    tokens = int(TOKENS * PACE / delay)
    answers = await asyncio.gather(*(stage.clients.ask(room, tokens, delay) for room in rooms))
    lags = [lag for answer in answers for lag in answer.lags]
    return {
        "answers": len(answers),
        "tokens": len(lags),
        "overheadP50": percentile([answer.overhead for answer in answers], 50),
        "tokenLagP50": percentile(lags, 50),
        "tokenLagP99": percentile(lags, 99),
    }
