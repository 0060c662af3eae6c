"""UsageTally: usage per person in a conversation; small users are summed up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agent.history.accounts import UsageCounts

if TYPE_CHECKING:
    from collections.abc import Iterator

SHOWN: Final = 200
"""Pairs of identity and model that are reported by themselves: those with the most tokens."""

KEPT: Final = 2 * SHOWN
"""Pairs in memory; beyond them, those with the fewest tokens are added to the rest."""


class UsageTally:
    """Counts by identity and model. Somebody who was merged into the rest starts again at
    zero."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], UsageCounts] = {}
        self._rest: dict[str, UsageCounts] = {}

    def add(self, identity: str, model: str, counts: UsageCounts) -> None:
        key = identity, model
        self._counts[key] = self._counts.get(key, UsageCounts()) + counts
        if len(self._counts) > KEPT:
            self._shorten()

    def merge(self, other: UsageTally) -> None:
        """Adds what another one has."""
        for identity, model, counts in other.rows():
            if identity is None:
                self._add_to_rest(model, counts)
            else:
                self.add(identity, model, counts)

    def rows(self) -> Iterator[tuple[str | None, str, UsageCounts]]:
        """Identity, model and counts; the identity of the rest is None."""
        if len(self._counts) > SHOWN:
            self._shorten()
        for (identity, model), counts in self._counts.items():
            yield identity, model, counts
        for model, counts in self._rest.items():
            yield None, model, counts

    def _shorten(self) -> None:
        by_size = sorted(self._counts, key=lambda key: _size(self._counts[key]))
        for key in by_size[: len(by_size) - SHOWN]:
            self._add_to_rest(key[1], self._counts.pop(key))

    def _add_to_rest(self, model: str, counts: UsageCounts) -> None:
        self._rest[model] = self._rest.get(model, UsageCounts()) + counts


def _size(counts: UsageCounts) -> tuple[int, int]:
    """Tokens, and sound where there are as many."""
    return counts.input_tokens + counts.output_tokens, counts.heard_ms + counts.spoken_ms
