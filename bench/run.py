"""The whole comparison: rounds in which every peer is measured once, one after the other."""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bench import room_server, stage
from bench.measure import measure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.figures import Key
    from bench.measure import Plan
    from bench.peers import Peer


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
            # Another one begins each round.
            order = [*peers[number % len(peers) :], *peers[: number % len(peers)]]
            figures: dict[str, dict[Key, float]] = {}
            for peer in order:
                _progress(f"round {number + 1} of {plan.rounds}: {peer.name}")
                async with stage.set_up(peer, rooms, model_url, logs) as staged:
                    figures[peer.name] = await measure(staged, plan)
                _progress(f"  {time.perf_counter() - begun:.0f} s")
            done.rounds.append(figures)
    done.seconds = time.perf_counter() - begun
    return done


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
