"""Many rooms at once: what breaks off is counted, and does not end the run."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from bench import busy_rooms
from bench.client import Answer
from bench.figures import Key
from bench.plan import Plan
from bench.programs import BenchError
from bench.trial import Trial

if TYPE_CHECKING:
    from bench.stage import Stage

PLAN = Plan(answers=2, tokens=1, burst=3)


class Clients:
    """Answers with as many tokens as are wanted, but not in the broken rooms."""

    def __init__(self, *broken: str) -> None:
        self.broken = broken
        self.asked: list[str] = []

    async def ask(self, room: str, tokens: int, _: float) -> Answer:
        self.asked.append(room)
        await asyncio.sleep(0)
        if room in self.broken:
            raise BenchError("the stream was closed")
        return Answer(overhead=2.0, whole=3.0, lags=[1.0] * tokens)


class Worker:
    """Each look at its clock finds ten milliseconds more."""

    def __init__(self) -> None:
        self._used = 0.0

    def cpu(self) -> float:
        self._used += 0.010
        return self._used


def trial(clients: Clients, rooms: list[str]) -> Trial:
    stage: Any = SimpleNamespace(clients=clients, worker=Worker())
    return Trial(cast("Stage", stage), rooms=rooms)


async def test_answers_are_summed_up() -> None:
    measured = trial(Clients(), ["a", "b"])
    await busy_rooms.measure(measured, PLAN)
    figures = measured.figures
    assert figures[Key.BROKEN_OFF] == 0
    assert figures[Key.BUSY_P50] == figures[Key.BUSY_P99] == 2.0
    assert figures[Key.LAG_P50] == figures[Key.LAG_P99] == 1.0
    assert round(figures[Key.CPU_PER_TOKEN], 6) == 2.5, "10 ms for four tokens"
    assert figures[Key.BURST] > 0
    assert len(measured.samples[Key.LAG_P50]) == 4


async def test_a_room_that_breaks_off_is_counted_and_not_asked_again() -> None:
    clients = Clients("b")
    measured = trial(clients, ["a", "b", "c"])
    await busy_rooms.measure(measured, PLAN)
    assert measured.figures[Key.BROKEN_OFF] == 1
    assert clients.asked.count("b") == 1
    assert clients.asked.count("a") == clients.asked.count("c") == 3
    assert measured.rooms == ["a", "c"]


async def test_a_peer_that_has_died_has_no_figures_of_answers() -> None:
    measured = trial(Clients("a"), ["a"])
    await busy_rooms.measure(measured, PLAN)
    assert measured.figures[Key.BROKEN_OFF] == 1
    assert measured.figures[Key.BURST] == 0
    assert set(measured.figures) == {Key.BROKEN_OFF, Key.BURST}
