"""The whole comparison: rounds in which every peer is measured."""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bench import room_server, stage
from bench.measure import Trial, in_turns, rotated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.figures import Key
    from bench.measure import Plan
    from bench.peers import Peer
    from bench.room_server import RoomServer


@dataclass
class Run:
    """What was measured.

    Attributes:
        server: what the room server was.
        rounds: the figures of each round, by peer.
    """

    server: str
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    seconds: float = 0.0
    rounds: list[dict[str, dict[Key, float]]] = field(
        default_factory=list["dict[str, dict[Key, float]]"]
    )


async def run(peers: Sequence[Peer], plan: Plan, server: str) -> Run:
    """Measures all peers, in turns, so that what disturbs the machine disturbs all of them.

    Raises:
        BenchError: something did not start, or gave no answer.
    """
    begun = time.perf_counter()
    logs = Path(tempfile.mkdtemp(prefix="bench-"))
    async with room_server.opened(server, logs) as rooms, stage.model(logs) as model_url:
        done = Run(rooms.what)
        for number in range(plan.rounds):
            _progress(f"round {number + 1} of {plan.rounds}")
            order = rotated(peers, number)
            done.rounds.append(await _round(order, plan, rooms, model_url, logs))
    done.seconds = time.perf_counter() - begun
    return done


async def _round(
    peers: Sequence[Peer], plan: Plan, rooms: RoomServer, model_url: str, logs: Path
) -> dict[str, dict[Key, float]]:
    """The figures of each. All are there while quiet rooms are measured; each leaves when its many
    rooms have been, so that the others have the machine for themselves."""
    trials: list[Trial] = []
    stays: list[AsyncExitStack] = []
    async with AsyncExitStack() as stack:
        for peer in peers:
            _progress(f"  {peer.name}")
            stay = await stack.enter_async_context(AsyncExitStack())
            staged = await stay.enter_async_context(stage.set_up(peer, rooms, model_url, logs))
            trial = Trial(staged)
            await trial.begin(plan)
            trials.append(trial)
            stays.append(stay)
        _progress("  in turns")
        await in_turns(trials, plan)
        for trial, stay in zip(trials, stays, strict=True):
            _progress(f"  {trial.stage.peer.name}: many rooms")
            await trial.crowd(plan)
            await stay.aclose()
    return {trial.stage.peer.name: trial.figures for trial in trials}


def _progress(text: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", file=sys.stderr, flush=True)
