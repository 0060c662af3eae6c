"""A peer at work, and the turns that peers take."""

from __future__ import annotations

from collections import defaultdict
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.figures import Key, percentile
from bench.plan import SHORT
from bench.programs import BenchError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.client import Answer
    from bench.stage import Stage


@dataclass
class Trial:
    """A running peer, and its measurements so far.

    Attributes:
        stay: closed when it leaves.
        rooms: those that it is in.
        samples: repeated measurements, in order.
    """

    stage: Stage
    stay: AsyncExitStack = field(default_factory=AsyncExitStack)
    figures: dict[Key, float] = field(default_factory=dict[Key, float])
    rooms: list[str] = field(default_factory=list[str])
    samples: defaultdict[Key, list[float]] = field(default_factory=lambda: defaultdict(list))

    async def join(self) -> tuple[float, float]:
        """Enters one more room, where one question is answered; returns the ms until an agent was
        ready, and the overhead of the answer."""
        room = self.stage.new_room()
        took = await self.stage.join(room)
        if took is None:
            raise BenchError(f"{self.stage.peer.name} did not join {room}")
        self.rooms.append(room)
        return took, (await self.ask(-1, SHORT)).overhead

    async def ask(self, room: int, question: tuple[int, float]) -> Answer:
        """Ask a question that is answered with so many tokens, so many seconds apart."""
        return await self.stage.clients.ask(self.rooms[room], *question)

    def cpu(self) -> float:
        """Seconds of processor time that the worker has used so far."""
        return self.stage.worker.cpu()

    async def settled_memory(self) -> float:
        """MB of memory of the idle worker."""
        await self.stage.worker.settle()
        return self.stage.worker.memory()

    def sum_up(self, key: Key, of: Key | None = None, *, percent: float = 50) -> None:
        """Makes a figure of samples, if there are any."""
        if samples := self.samples[of or key]:
            self.figures[key] = percentile(samples, percent)


def turns(trials: Sequence[Trial], times: int) -> Iterator[tuple[int, Trial]]:
    """The number of the turn, and the peer whose turn it is.

    Another one is first in each, and each comes after each other one equally often: a peer's traces
    in the processor, and its work after an answer, slow down the next one. These are E. J.
    Williams' designs, Latin squares that are balanced for what comes before.
    """
    count = len(trials)
    zigzag = [n // 2 if n % 2 == 0 else count - 1 - n // 2 for n in range(count)]
    for turn in range(times):
        order = [trials[(place + turn) % count] for place in zigzag]
        if count % 2 and turn // count % 2:
            order.reverse()
        for trial in order:
            yield turn, trial
