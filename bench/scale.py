"""Many rooms on this machine's cores, with people who read their answer, type, and ask again."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Any, Final

from bench.figures import percentile
from bench.peers import agent
from bench.plan import PACE
from bench.programs import BenchError

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from bench.client import Answer
    from bench.stage import Stage

PROCESSES: Final = 2
PEER: Final = agent("agent", PROCESSES, AGENT_MAX_ROOMS="250")
"""As many processes as cores; rooms are spread over them."""
JOINING: Final = 4
"""Rooms that are joined at a time."""
TOKENS: Final = (50, 150)
"""Of an answer, at 20 a second."""
READING: Final = (10.0, 35.0)
"""Seconds from the end of an answer to the next question."""


async def scale(stage: Stage, rooms: int, seconds: float) -> dict[str, Any]:
    """The cost and the latencies of many rooms; ms, MB, and cores."""
    empty = stage.worker.memory()
    names = [stage.new_room() for _ in range(rooms)]
    waiting = iter(names)
    joins: list[float] = []

    async def join() -> None:
        for name in waiting:
            took = await stage.join(name)
            if took is None:
                raise BenchError(f"no agent came to {name}")
            joins.append(took)

    await asyncio.gather(*(join() for _ in range(JOINING)))
    await stage.worker.settle()
    held = stage.worker.memory()
    silent = await _cores(stage, asyncio.sleep(min(seconds, 10.0)))
    answers: list[Answer] = []
    broken: list[str] = []
    until = time.perf_counter() + seconds
    talks = (_talk(stage, name, until, answers, broken) for name in names)
    talking = await _cores(stage, asyncio.gather(*talks))
    lags = [lag for answer in answers for lag in answer.lags]
    if not lags:
        raise BenchError("nothing was answered: more --minutes")
    return {
        "rooms": rooms,
        "processes": PROCESSES,
        "seconds": seconds,
        "joinP50": percentile(joins, 50),
        "joinP99": percentile(joins, 99),
        "answers": len(answers),
        "broken": broken,
        "tokens": len(lags),
        "overheadP50": percentile([answer.overhead for answer in answers], 50),
        "overheadP99": percentile([answer.overhead for answer in answers], 99),
        "tokenLagP50": percentile(lags, 50),
        "tokenLagP99": percentile(lags, 99),
        "silentCores": silent,
        "talkingCores": talking,
        "silentCpuOfRoom": silent / rooms * 1000,
        "talkingCpuOfRoom": talking / rooms * 1000,
        "memoryEmpty": empty,
        "memoryHeld": held,
        "memoryAfter": stage.worker.memory(),
        "memoryOfRoom": (held - empty) / rooms,
    }


async def _talk(
    stage: Stage, room: str, until: float, answers: list[Answer], broken: list[str]
) -> None:
    choice = random.Random(room)  # noqa: S311 - a script, no secret
    await asyncio.sleep(choice.uniform(0.0, READING[1]))
    while time.perf_counter() < until:
        try:
            answers.append(await stage.clients.ask(room, choice.randint(*TOKENS), PACE))
        except BenchError as error:
            broken.append(f"{room}: {error}")
            return
        await asyncio.sleep(choice.uniform(*READING))


async def _cores(stage: Stage, doing: Awaitable[object]) -> float:
    """The worker's average number of busy cores, while something is done."""
    used, begun = stage.worker.cpu(), time.perf_counter()
    await doing
    return (stage.worker.cpu() - used) / (time.perf_counter() - begun)
