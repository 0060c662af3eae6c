"""The whole comparison: rounds in which every peer is measured."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench import busy_rooms, quiet_rooms, room_server, stage
from bench.figures import Key
from bench.trial import Trial, turns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.peers import Peer
    from bench.plan import Plan
    from bench.room_server import RoomServer

OF_WORKERS: Final = (
    Key.START,
    Key.JOIN,
    Key.IDLE_MEMORY,
    Key.ROOM_MEMORY,
    Key.HELD_MEMORY,
)
"""Measures that a peer without a worker does not have: its rooms are assigned directly."""
PAUSE: Final = 0.1
"""Seconds before the next peer joins a room, which would share the processor with this one."""


@dataclass
class Run:
    """The results of a run.

    Attributes:
        server: the room server's name and version.
        rounds: the figures of each round, by peer.
    """

    server: str
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    seconds: float = 0.0
    rounds: list[dict[str, dict[Key, float]]] = field(
        default_factory=list["dict[str, dict[Key, float]]"]
    )


async def run(peers: Sequence[Peer], plan: Plan, server: str) -> Run:
    """Measures all peers, in turns, so that disturbances of the machine affect all of them.

    Raises:
        BenchError: something did not start, or gave no answer.
    """
    begun = time.perf_counter()
    logs = Path(tempfile.mkdtemp(prefix="bench-"))
    async with room_server.opened(server, logs) as rooms, stage.model(logs) as model_url:
        done = Run(rooms.what)
        for number in range(plan.rounds):
            _progress(f"round {number + 1} of {plan.rounds}")
            first = number % len(peers)
            order = [*peers[first:], *peers[:first]]
            done.rounds.append(await _round(order, plan, rooms, model_url, logs))
    done.seconds = time.perf_counter() - begun
    return done


async def _round(
    peers: Sequence[Peer], plan: Plan, rooms: RoomServer, model_url: str, logs: Path
) -> dict[str, dict[Key, float]]:
    """The figures of each. They start one after the other, and take turns while rooms are quiet;
    each leaves when its many rooms have been, so that the others have the machine."""
    trials: list[Trial] = []
    async with AsyncExitStack() as stack:
        for peer in peers:
            _progress(f"  {peer.name}")
            stay = await stack.enter_async_context(AsyncExitStack())
            staged = await stay.enter_async_context(stage.set_up(peer, rooms, model_url, logs))
            trial = Trial(staged, stay)
            trial.figures[Key.START] = staged.registered
            trial.figures[Key.IDLE_MEMORY] = await trial.settled_memory()
            trials.append(trial)
        _progress("  in turns")
        await _join_in_turns(trials, plan.quiet_rooms)
        await quiet_rooms.measure(trials, plan)
        await _join_in_turns(trials, plan.joined_in_turns)
        for trial in trials:
            _progress(f"  {trial.stage.peer.name}: many rooms")
            half = await _fill(trial, plan.rooms // 2)
            full = await _fill(trial, plan.rooms)
            trial.figures[Key.ROOM_MEMORY] = (full - half) / (plan.rooms - plan.rooms // 2)
            trial.figures[Key.HELD_MEMORY] = full
            trial.sum_up(Key.JOIN)
            trial.sum_up(Key.FIRST_ANSWER)
            await busy_rooms.measure(trial, plan)
            await trial.stay.aclose()
    for trial in trials:
        if not trial.stage.peer.workers:
            for key in OF_WORKERS:
                del trial.figures[key]
    return {trial.stage.peer.name: trial.figures for trial in trials}


async def _join_in_turns(trials: Sequence[Trial], count: int) -> None:
    """Makes each peer join rooms until it is in so many, and measures the cost."""
    for _, trial in turns(trials, count - len(trials[0].rooms)):
        took, overhead = await trial.join()
        trial.samples[Key.JOIN].append(took)
        trial.samples[Key.FIRST_ANSWER].append(overhead)
        await asyncio.sleep(PAUSE)
    for trial in trials:
        await trial.stage.worker.settle()


async def _fill(trial: Trial, count: int) -> float:
    """Makes a peer join rooms until it is in so many; returns the memory that it needs then."""
    while len(trial.rooms) < count:
        await trial.join()
    return await trial.settled_memory()


def _progress(text: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", file=sys.stderr, flush=True)
