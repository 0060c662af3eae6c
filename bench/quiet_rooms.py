"""Rooms in which one question is asked at a time: the peers take turns, question by question.

So all of them run under the same conditions, and other work happens between questions, as with
people.
"""

from __future__ import annotations

import asyncio
import statistics
from typing import TYPE_CHECKING, Final

from bench.figures import Key
from bench.plan import SHORT
from bench.trial import turns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.client import Answer
    from bench.plan import Plan
    from bench.trial import Trial

AFTERWARDS: Final = 0.02
"""Seconds after an answer in which its worker finishes its work; its CPU time counts."""
PAUSE: Final = 0.03
"""Additional seconds before the next peer is asked, which would share the processor with it."""
PINGS_A_TURN: Final = 10


async def measure(trials: Sequence[Trial], plan: Plan) -> None:
    """Short chats, chats with history, long answers and RPC calls."""
    for turn, trial in turns(trials, plan.chats * plan.quiet_rooms):
        answer, used = await _ask(trial, turn % plan.quiet_rooms, SHORT)
        trial.samples[Key.CHAT_CPU].append(used * 1000)
        trial.samples[Key.SHORT].append(answer.overhead)
    for trial in trials:
        for _ in range(2 * (1 + plan.chats), plan.history, 2):
            await trial.ask(0, (1, 0))
    for _, trial in turns(trials, plan.repeats):
        answer, _ = await _ask(trial, 0, SHORT)
        trial.samples[Key.HISTORY].append(answer.overhead)
    for _, trial in turns(trials, plan.long_repeats):
        answer, _ = await _ask(trial, 1, (plan.long, 0))
        trial.samples[Key.LONG].append(answer.whole)
    called = [trial for trial in trials if trial.stage.peer.has_rpc]
    for _, trial in turns(called, plan.pings // PINGS_A_TURN):
        pings = await trial.stage.clients.ping(trial.rooms[1], PINGS_A_TURN)
        trial.samples[Key.RPC_P50] += pings
    for trial in trials:
        for key in (Key.SHORT, Key.HISTORY, Key.LONG):
            trial.sum_up(key)
        trial.figures[Key.CHAT_CPU] = statistics.mean(trial.samples[Key.CHAT_CPU])
        trial.sum_up(Key.RPC_P99, Key.RPC_P50, percent=99)
        trial.sum_up(Key.RPC_P50)


async def _ask(trial: Trial, room: int, question: tuple[int, float]) -> tuple[Answer, float]:
    """An answer, and the seconds of processor time that the worker needed for it."""
    before = trial.cpu()
    answer = await trial.ask(room, question)
    await asyncio.sleep(AFTERWARDS)
    used = trial.cpu() - before
    await asyncio.sleep(PAUSE)
    return answer, used
