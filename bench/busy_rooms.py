"""Many rooms of a peer, all of them answered at once; then those of the next."""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import TYPE_CHECKING

from bench.figures import Key
from bench.plan import PACE
from bench.programs import BenchError
from bench.trial import turns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.client import Answer
    from bench.plan import Plan
    from bench.trial import Trial


async def measure(trials: Sequence[Trial], plan: Plan) -> None:
    """Answers at the pace of a model, and as fast as they can be."""
    for _, trial in turns(trials, plan.busy_turns):
        before = trial.cpu()
        answers = await _answers(
            trial, (plan.tokens, PACE), plan.answers, spread=plan.tokens * PACE
        )
        used = trial.cpu() - before
        await trial.stage.worker.settle()  # or the next peer would have what it still has to do
        lags = [lag for answer in answers for lag in answer.lags]
        trial.samples[Key.BUSY_P50] += [answer.overhead for answer in answers]
        trial.samples[Key.LAG_P50] += lags
        if lags:
            trial.samples[Key.CPU_PER_TOKEN].append(used / len(lags) * 1000)
    for trial in trials:
        begun = time.perf_counter()
        answers = await _answers(trial, (plan.burst, 0), 1)
        tokens = sum(len(answer.lags) for answer in answers)
        trial.figures[Key.BURST] = tokens / (time.perf_counter() - begun)
        await trial.stage.worker.settle()
    for trial in trials:
        if samples := trial.samples[Key.CPU_PER_TOKEN]:
            trial.figures[Key.CPU_PER_TOKEN] = statistics.mean(samples)
        trial.figures[Key.BROKEN_OFF] = sum(trial.samples[Key.BROKEN_OFF])
        for median, p99 in ((Key.BUSY_P50, Key.BUSY_P99), (Key.LAG_P50, Key.LAG_P99)):
            trial.sum_up(p99, median, percent=99)
            trial.sum_up(median)


async def _answers(
    trial: Trial, question: tuple[int, float], count: int, *, spread: float = 0.0
) -> list[Answer]:
    """So many of each room, one after the other; the rooms begin evenly spread over some seconds.

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
