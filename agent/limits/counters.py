"""Counters: uses and refusals in this process, for reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "messages",
    "rpc_calls",
    "tool_calls",
    "bytes",
    "files",
    "tokens_in",
    "tokens_out",
    "answers",
    "private_conversations",
]
Scope = Literal["participant", "room", "tenant"]


@dataclass(frozen=True, slots=True)
class Reading:
    """One number at the time of reading.

    Attributes:
        name: `used` and `refused` only grow; `open` counts what is open at the moment.
        kind: what is counted.
        scope: whose limit refused it; None for `used` and `open`, which are of the process.
    """

    name: Literal["used", "refused", "open"]
    kind: Kind
    value: int
    scope: Scope | None = None


class Counters:
    """Numbers of one process since its start. Reading them changes nothing."""

    def __init__(self) -> None:
        self.used: Counter[Kind] = Counter()
        self.refused: Counter[tuple[Kind, Scope]] = Counter()
        self._open: dict[Kind, Callable[[], int]] = {}

    def watch(self, kind: Kind, count: Callable[[], int]) -> None:
        """Registers `read`, which returns how many of something are open."""
        self._open[kind] = count

    def read(self) -> Iterator[Reading]:
        """All numbers, those that are zero since the start left out."""
        for kind, value in list(self.used.items()):
            yield Reading("used", kind, value)
        for (kind, scope), value in list(self.refused.items()):
            yield Reading("refused", kind, value, scope)
        for kind, count in list(self._open.items()):
            yield Reading("open", kind, count())
