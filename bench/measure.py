"""One round of measurements: quiet rooms of all peers in turn, then many rooms of each."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from bench.figures import Key, percentile
from bench.programs import BenchError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.client import Answer
    from bench.stage import Stage

T = TypeVar("T")

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
    """A peer at work, and what has been measured of it so far.

    Attributes:
        samples: of what is measured several times, in the order of measuring.
    """

    stage: Stage
    figures: dict[Key, float] = field(default_factory=dict[Key, float])
    rooms: list[str] = field(default_factory=list[str])
    samples: defaultdict[Key, list[float]] = field(default_factory=lambda: defaultdict(list))

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
        self.sum_up(Key.JOIN, Key.FIRST_ANSWER)
        await _paced(self.stage, plan, self.rooms, self.figures)
        await _burst(self.stage, plan, self.rooms, self.figures)
        if not self.stage.peer.workers:
            for key in (Key.START, Key.JOIN, Key.IDLE_MEMORY, Key.ROOM_MEMORY, Key.HELD_MEMORY):
                del self.figures[key]

    async def ask(self, room: int, question: tuple[int, float]) -> Answer:
        return await self.stage.clients.ask(self.rooms[room], *question)

    def sum_up(self, *keys: Key) -> None:
        """Makes figures of samples: their medians."""
        for key in keys:
            self.figures[key] = percentile(self.samples[key], 50)

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
        self.samples[Key.JOIN].append(took)
        self.samples[Key.FIRST_ANSWER].append((await self.ask(-1, SHORT)).overhead)


async def in_turns(trials: Sequence[Trial], plan: Plan) -> None:
    """Measures what is quickly done in quiet rooms: the peers take turns, question by question, so
    that all of them have had the same machine. As between the questions of people, something
    else has happened meanwhile."""
    for turn, trial in _turns(trials, plan.chats * plan.quiet_rooms):
        used = trial.stage.worker.cpu()
        answer = await trial.ask(turn % plan.quiet_rooms, SHORT)
        await asyncio.sleep(AFTERWARDS)
        trial.samples[Key.CHAT_CPU].append((trial.stage.worker.cpu() - used) * 1000)
        trial.samples[Key.SHORT].append(answer.overhead)
    for trial in trials:
        for _ in range(2 * (1 + plan.chats), plan.history, 2):
            await trial.ask(0, (1, 0))
    for _, trial in _turns(trials, plan.repeats):
        trial.samples[Key.HISTORY].append((await trial.ask(0, SHORT)).overhead)
    for _, trial in _turns(trials, plan.long_repeats):
        trial.samples[Key.LONG].append((await trial.ask(1, (plan.long, 0))).whole)
    called = [trial for trial in trials if trial.stage.peer.has_rpc]
    for _, trial in _turns(called, plan.pings // PINGS_A_TURN):
        pings = await trial.stage.clients.ping(trial.rooms[1], PINGS_A_TURN)
        trial.samples[Key.RPC_P50] += pings
    for trial in trials:
        trial.sum_up(Key.SHORT, Key.HISTORY, Key.LONG)
        trial.figures[Key.CHAT_CPU] = statistics.mean(trial.samples[Key.CHAT_CPU])
    for trial in called:
        trial.sum_up(Key.RPC_P50)
        trial.figures[Key.RPC_P99] = percentile(trial.samples[Key.RPC_P50], 99)


def rotated(items: Sequence[T], turn: int) -> list[T]:
    """All of them, another one first each turn."""
    first = turn % max(len(items), 1)
    return [*items[first:], *items[:first]]


def _turns(trials: Sequence[Trial], times: int) -> Iterator[tuple[int, Trial]]:
    """The number of the turn, and whose it is."""
    for turn in range(times):
        for trial in rotated(trials, turn):
            yield turn, trial


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
