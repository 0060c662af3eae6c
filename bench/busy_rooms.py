"""Many rooms of a peer, all of them answered at once."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from bench.figures import Key
from bench.plan import PACE
from bench.programs import BenchError

if TYPE_CHECKING:
    from bench.client import Answer
    from bench.plan import Plan
    from bench.trial import Trial


async def measure(trial: Trial, plan: Plan) -> None:
    """Answers at the pace of a model, and as fast as possible."""
    before = trial.cpu()
    answers = await _answers(trial, (plan.tokens, PACE), plan.answers, spread=plan.tokens * PACE)
    used = trial.cpu() - before
    trial.samples[Key.BUSY_P50] += [answer.overhead for answer in answers]
    trial.samples[Key.LAG_P50] += [lag for answer in answers for lag in answer.lags]
    for median, p99 in ((Key.BUSY_P50, Key.BUSY_P99), (Key.LAG_P50, Key.LAG_P99)):
        trial.sum_up(p99, median, percent=99)
        trial.sum_up(median)
    if tokens := len(trial.samples[Key.LAG_P50]):
        trial.figures[Key.CPU_PER_TOKEN] = used / tokens * 1000
    begun = time.perf_counter()
    tokens = sum(len(answer.lags) for answer in await _answers(trial, (plan.burst, 0), 1))
    trial.figures[Key.BURST] = tokens / (time.perf_counter() - begun)
    trial.figures[Key.BROKEN_OFF] = sum(trial.samples[Key.BROKEN_OFF])


async def _answers(
    trial: Trial, question: tuple[int, float], count: int, *, spread: float = 0.0
) -> list[Answer]:
    """Asks in each room, one question after the other; the rooms start evenly spread over some
    seconds.

    A room whose answer breaks off is not asked again: its agent is gone.
    """
    rooms = trial.rooms
    answers: list[Answer] = []

    async def talk(number: int) -> bool:
        await asyncio.sleep(spread * number / len(rooms))
        try:
            for _ in range(count):
                answers.append(await trial.ask(number, question))
        except BenchError:
            return False
        return True

    whole = await asyncio.gather(*(talk(number) for number in range(len(rooms))))
    trial.rooms = [room for room, is_whole in zip(rooms, whole, strict=True) if is_whole]
    trial.samples[Key.BROKEN_OFF].append(whole.count(False))
    return answers
