"""One peer measured once: quiet rooms first, then many at once."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bench.figures import Key, percentile
from bench.programs import BenchError

if TYPE_CHECKING:
    from bench.client import Answer
    from bench.stage import Stage

SHORT = (5, 0)
"""Tokens of a short answer, and the seconds between them; paced tokens have rows of their own."""
PACE = 0.05
"""Seconds between tokens where many rooms are answered at once."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    Attributes:
        quiet_rooms: rooms, one after the other, with `chats` short answers each.
        history: messages in a conversation before answers with history are measured.
        repeats: of answers with history.
        long: tokens of a long answer.
        long_repeats: of these.
        pings: RPC calls.
        rooms: at once.
        answers: in each of them, with `tokens` each, at 20 a second.
        burst: tokens in each of them at once, without delay.
    """

    rounds: int = 3
    quiet_rooms: int = 3
    chats: int = 12
    history: int = 130
    repeats: int = 16
    long: int = 500
    long_repeats: int = 6
    pings: int = 400
    rooms: int = 20
    answers: int = 2
    tokens: int = 40
    burst: int = 250

    def with_rounds(self, rounds: int) -> Plan:
        """The same, so many times."""
        return replace(self, rounds=rounds)


QUICK = Plan(
    rounds=1,
    quiet_rooms=2,
    chats=4,
    repeats=3,
    long_repeats=3,
    pings=50,
    rooms=6,
    answers=1,
    tokens=30,
    burst=100,
)
"""For `make bench-quick`: the same, less often and with fewer rooms."""


async def measure(stage: Stage, plan: Plan) -> dict[Key, float]:
    """All figures of one peer; those that it cannot have are left out."""
    figures: dict[Key, float] = {Key.START: stage.registered}
    await stage.worker.settle()
    figures[Key.IDLE_MEMORY] = stage.worker.memory()
    rooms, joins, first = await _quiet(stage, plan, figures)
    await _history(stage, plan, rooms[0], figures)
    await _long(stage, plan, rooms[1], figures)
    if stage.peer.has_rpc:
        pings = await stage.clients.ping(rooms[1], plan.pings)
        figures[Key.RPC_P50] = percentile(pings, 50)
        figures[Key.RPC_P99] = percentile(pings, 99)
    half = await _fill(stage, plan.rooms // 2, rooms, joins, first)
    full = await _fill(stage, plan.rooms, rooms, joins, first)
    figures[Key.ROOM_MEMORY] = (full - half) / (plan.rooms - plan.rooms // 2)
    figures[Key.HELD_MEMORY] = full
    figures[Key.JOIN] = percentile(joins, 50)
    figures[Key.FIRST_ANSWER] = percentile([answer.overhead for answer in first], 50)
    await _paced(stage, plan, rooms, figures)
    await _burst(stage, plan, rooms, figures)
    if not stage.peer.workers:
        for key in (Key.START, Key.JOIN, Key.IDLE_MEMORY, Key.ROOM_MEMORY, Key.HELD_MEMORY):
            del figures[key]
    return figures


async def _join(stage: Stage, rooms: list[str], joins: list[float], first: list[Answer]) -> None:
    """One more room, with one answer in it."""
    room = stage.new_room()
    took = await stage.join(room)
    if took is None:
        raise BenchError(f"{stage.peer.name} did not join {room}")
    rooms.append(room)
    joins.append(took)
    first.append(await stage.clients.ask(room, *SHORT))


async def _quiet(
    stage: Stage, plan: Plan, figures: dict[Key, float]
) -> tuple[list[str], list[float], list[Answer]]:
    rooms: list[str] = []
    joins: list[float] = []
    first: list[Answer] = []
    for _ in range(plan.quiet_rooms):
        await _join(stage, rooms, joins, first)
    await stage.worker.settle()
    answers: list[Answer] = []
    used = stage.worker.cpu()
    for _ in range(plan.chats):
        answers += [await stage.clients.ask(room, *SHORT) for room in rooms]
    figures[Key.CHAT_CPU] = (stage.worker.cpu() - used) / len(answers) * 1000
    figures[Key.SHORT] = percentile([answer.overhead for answer in answers], 50)
    return rooms, joins, first


async def _history(stage: Stage, plan: Plan, room: str, figures: dict[Key, float]) -> None:
    said = 2 * (1 + plan.chats)
    while said < plan.history:
        await stage.clients.ask(room, 1, 0)
        said += 2
    answers = [await stage.clients.ask(room, *SHORT) for _ in range(plan.repeats)]
    figures[Key.HISTORY] = percentile([answer.overhead for answer in answers], 50)


async def _long(stage: Stage, plan: Plan, room: str, figures: dict[Key, float]) -> None:
    answers = [await stage.clients.ask(room, plan.long, 0) for _ in range(plan.long_repeats)]
    figures[Key.LONG] = percentile([answer.whole for answer in answers], 50)


async def _fill(
    stage: Stage, count: int, rooms: list[str], joins: list[float], first: list[Answer]
) -> float:
    """Joins rooms until there are so many; returns the memory that is needed then."""
    while len(rooms) < count:
        await _join(stage, rooms, joins, first)
    await stage.worker.settle()
    return stage.worker.memory()


async def _paced(stage: Stage, plan: Plan, rooms: list[str], figures: dict[Key, float]) -> None:
    """All rooms answered at once, at 20 tokens a second each; they begin evenly spread."""
    length = plan.tokens * PACE

    async def talk(number: int) -> list[Answer]:
        await asyncio.sleep(length * number / len(rooms))
        return [
            await stage.clients.ask(rooms[number], plan.tokens, PACE) for _ in range(plan.answers)
        ]

    used = stage.worker.cpu()
    talks = await asyncio.gather(*(talk(number) for number in range(len(rooms))))
    answers = [answer for talk in talks for answer in talk]
    lags = [lag for answer in answers for lag in answer.lags]
    overheads = [answer.overhead for answer in answers]
    figures[Key.CPU_PER_TOKEN] = (stage.worker.cpu() - used) / len(lags) * 1000
    figures[Key.BUSY_P50] = percentile(overheads, 50)
    figures[Key.BUSY_P99] = percentile(overheads, 99)
    figures[Key.LAG_P50] = percentile(lags, 50)
    figures[Key.LAG_P99] = percentile(lags, 99)


async def _burst(stage: Stage, plan: Plan, rooms: list[str], figures: dict[Key, float]) -> None:
    begun = time.perf_counter()
    answers = await asyncio.gather(*(stage.clients.ask(room, plan.burst, 0) for room in rooms))
    tokens = sum(len(answer.lags) for answer in answers)
    figures[Key.BURST] = tokens / (time.perf_counter() - begun)
