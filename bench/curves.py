"""How cost grows: with the rooms of one process, and with the messages of a conversation."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from bench.figures import percentile
from bench.peers import agent
from bench.plan import PACE, SHORT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.client import Answer
    from bench.stage import Stage

ROOMS = (1, 5, 10, 20, 35, 50)
MESSAGES = (1, 50, 100, 200, 350, 500)
PEER = agent("agent", 1, AGENT_MAX_ROOMS="50", MAX_CONTEXT_MESSAGES="1000")
"""One process, which takes as many rooms and messages as the curves need."""
TOKENS = 40
REPEATS = 10
IDLE = 5.0
"""Seconds in which the cost of silent rooms is measured."""


async def over_rooms(stage: Stage, counts: Sequence[int] = ROOMS) -> list[dict[str, Any]]:
    """For each number of rooms, all answered at once: ms and MB, see the keys."""
    points: list[dict[str, Any]] = []
    rooms: list[str] = []
    for count in counts:
        while len(rooms) < count:
            rooms.append(stage.new_room())
            await stage.join(rooms[-1])
            await stage.clients.ask(rooms[-1], *SHORT)
        await stage.worker.settle()
        memory, idle = stage.worker.memory(), await _idle(stage)
        used = stage.worker.cpu()
        answers = await _talk(stage, rooms)
        lags = [lag for answer in answers for lag in answer.lags]
        points.append(
            {
                "rooms": count,
                "overheadP50": percentile([answer.overhead for answer in answers], 50),
                "overheadP99": percentile([answer.overhead for answer in answers], 99),
                "tokenLagP50": percentile(lags, 50),
                "tokenLagP99": percentile(lags, 99),
                "tokenCpu": (stage.worker.cpu() - used) / len(lags) * 1000,
                "idleCpu": idle,
                "memory": memory,
            }
        )
    return points


async def over_messages(stage: Stage, counts: Sequence[int] = MESSAGES) -> list[dict[str, Any]]:
    """For each length of a conversation: the overhead of its next answers, ms, and their CPU."""
    points: list[dict[str, Any]] = []
    room = stage.new_room()
    await stage.join(room)
    said = 0
    for count in counts:
        while said + 2 <= count:
            await stage.clients.ask(room, 1, 0)
            said += 2
        used = stage.worker.cpu()
        answers = [await stage.clients.ask(room, *SHORT) for _ in range(REPEATS)]
        said += 2 * REPEATS
        points.append(
            {
                "messages": count,
                "overheadP50": percentile([answer.overhead for answer in answers], 50),
                "chatCpu": (stage.worker.cpu() - used) / REPEATS * 1000,
            }
        )
    return points


async def _idle(stage: Stage) -> float:
    """ms of processor time per second while nobody says anything."""
    used = stage.worker.cpu()
    await asyncio.sleep(IDLE)
    return (stage.worker.cpu() - used) / IDLE * 1000


async def _talk(stage: Stage, rooms: Sequence[str]) -> list[Answer]:
    async def talk(number: int) -> list[Answer]:
        await asyncio.sleep(TOKENS * PACE * number / len(rooms))
        return [await stage.clients.ask(rooms[number], TOKENS, PACE) for _ in range(2)]

    talks = await asyncio.gather(*(talk(number) for number in range(len(rooms))))
    return [answer for talk in talks for answer in talk]
