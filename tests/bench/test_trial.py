"""The turns that peers take are fair."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import pytest

from bench.trial import Trial, turns

if TYPE_CHECKING:
    from collections.abc import Sequence


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_each_is_first_and_follows_each_other_one_equally_often(count: int) -> None:
    names = "abcde"[:count]
    orders: list[list[str]] = [[] for _ in range(2 * count)]
    for turn, name in turns(cast("Sequence[Trial]", names), 2 * count):
        orders[turn].append(cast("str", name))

    assert all(sorted(order) == list(names) for order in orders)
    assert Counter(order[0] for order in orders) == dict.fromkeys(names, 2)
    pairs = Counter(pair for order in orders for pair in pairwise(order))
    assert len(pairs) == count * (count - 1)
    assert set(pairs.values()) <= {2}


def test_nobody_takes_no_turns() -> None:
    assert list(turns([], 3)) == []
