"""One round of measurements: quiet rooms of all peers in turn, then many rooms of each."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bench.figures import Key, percentile
from bench.programs import BenchError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.client import Answer
    from bench.stage import Stage

SHORT = (5, 0)
"""Tokens of a short answer, and the seconds between them; paced tokens have rows of their own."""
AFTERWARDS = 0.02
"""Seconds after an answer in which its worker does what is left to do; its CPU counts."""
PINGS_A_TURN = 10
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


@dataclass
class Trial:
    """A peer at work, and what has been measured of it so far."""

    stage: Stage
    figures: dict[Key, float] = field(default_factory=dict[Key, float])
    rooms: list[str] = field(default_factory=list[str])
    joins: list[float] = field(default_factory=list[float])
    first: list[Answer] = field(default_factory=list["Answer"])

    async def begin(self, plan: Plan) -> None:
        """What it takes to be there, and the first rooms."""
        self.figures[Key.START] = self.stage.registered
        await self.stage.worker.settle()
        self.figures[Key.IDLE_MEMORY] = self.stage.worker.memory()
        for _ in range(plan.quiet_rooms):
            await self._join()
        await self.stage.worker.settle()

    async def crowd(self, plan: Plan) -> None:
        """Many rooms, and all of them answered at once."""
        half = await self._fill(plan.rooms // 2)
        full = await self._fill(plan.rooms)
        self.figures[Key.ROOM_MEMORY] = (full - half) / (plan.rooms - plan.rooms // 2)
        self.figures[Key.HELD_MEMORY] = full
        self.figures[Key.JOIN] = percentile(self.joins, 50)
        overheads = [answer.overhead for answer in self.first]
        self.figures[Key.FIRST_ANSWER] = percentile(overheads, 50)
        await _paced(self.stage, plan, self.rooms, self.figures)
        await _burst(self.stage, plan, self.rooms, self.figures)
        if not self.stage.peer.workers:
            for key in (Key.START, Key.JOIN, Key.IDLE_MEMORY, Key.ROOM_MEMORY, Key.HELD_MEMORY):
                del self.figures[key]

    async def _fill(self, count: int) -> float:
        """Joins rooms until there are so many; returns the memory that is needed then."""
        while len(self.rooms) < count:
            await self._join()
        await self.stage.worker.settle()
        return self.stage.worker.memory()

    async def _join(self) -> None:
        """One more room, with one answer in it."""
        room = self.stage.new_room()
        took = await self.stage.join(room)
        if took is None:
            raise BenchError(f"{self.stage.peer.name} did not join {room}")
        self.rooms.append(room)
        self.joins.append(took)
        self.first.append(await self.stage.clients.ask(room, *SHORT))


async def in_turns(trials: Sequence[Trial], plan: Plan) -> None:
    """Measures what is quickly done in quiet rooms: the peers take turns, question by question, so
    that all of them have had the same machine. As between the questions of people, something
    else has happened meanwhile."""
    await _chats(trials, plan)
    for trial in trials:
        room, said = trial.rooms[0], 2 * (1 + plan.chats)
        while said < plan.history:
            await trial.stage.clients.ask(room, 1, 0)
            said += 2
    answers = await _asked(trials, plan.repeats, 0, SHORT)
    for trial, overheads in zip(trials, answers, strict=True):
        trial.figures[Key.HISTORY] = percentile([answer.overhead for answer in overheads], 50)
    answers = await _asked(trials, plan.long_repeats, 1, (plan.long, 0))
    for trial, wholes in zip(trials, answers, strict=True):
        trial.figures[Key.LONG] = percentile([answer.whole for answer in wholes], 50)
    await _pings([trial for trial in trials if trial.stage.peer.has_rpc], plan)


async def _chats(trials: Sequence[Trial], plan: Plan) -> None:
    overheads: list[list[float]] = [[] for _ in trials]
    used = [0.0 for _ in trials]
    for number, index in _turns(len(trials), plan.chats * plan.quiet_rooms):
        trial, worker = trials[index], trials[index].stage.worker
        before = worker.cpu()
        room = trial.rooms[number % plan.quiet_rooms]
        answer = await trial.stage.clients.ask(room, *SHORT)
        await asyncio.sleep(AFTERWARDS)
        used[index] += worker.cpu() - before
        overheads[index].append(answer.overhead)
    for trial, theirs, seconds in zip(trials, overheads, used, strict=True):
        trial.figures[Key.SHORT] = percentile(theirs, 50)
        trial.figures[Key.CHAT_CPU] = seconds / len(theirs) * 1000


async def _asked(
    trials: Sequence[Trial], times: int, room: int, question: tuple[int, float]
) -> list[list[Answer]]:
    """Answers of each, to a question in one of their rooms."""
    answers: list[list[Answer]] = [[] for _ in trials]
    for _, index in _turns(len(trials), times):
        trial = trials[index]
        answers[index].append(await trial.stage.clients.ask(trial.rooms[room], *question))
    return answers


async def _pings(trials: Sequence[Trial], plan: Plan) -> None:
    pings: list[list[float]] = [[] for _ in trials]
    for _, index in _turns(len(trials), plan.pings // PINGS_A_TURN):
        trial = trials[index]
        pings[index] += await trial.stage.clients.ping(trial.rooms[1], PINGS_A_TURN)
    for trial, theirs in zip(trials, pings, strict=True):
        trial.figures[Key.RPC_P50] = percentile(theirs, 50)
        trial.figures[Key.RPC_P99] = percentile(theirs, 99)


def _turns(count: int, times: int) -> Iterator[tuple[int, int]]:
    """The number of the turn, and whose it is of so many; another one is first each time."""
    for turn in range(times):
        for index in range(count):
            yield turn, (turn + index) % count


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
