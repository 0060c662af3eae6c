"""The usage in a report has bounds, whoever joined meanwhile."""

from __future__ import annotations

from agent.accounts.usage_tally import KEPT, SHOWN, UsageTally
from agent.history.accounts import UsageCounts


def used(tokens: int) -> UsageCounts:
    return UsageCounts(answers=1, input_tokens=tokens)


def test_only_the_largest_users_are_listed_the_rest_is_summed() -> None:
    tally = UsageTally()
    people = 3 * KEPT
    for number in range(people):
        tally.add(f"person {number}", "m", used(number % 10))
        tally.add("alice", "m", used(100))
    rows = list(tally.rows())
    assert len(rows) == SHOWN + 1
    assert ("alice", "m", UsageCounts(answers=people, input_tokens=100 * people)) in rows
    [rest] = [counts for identity, _, counts in rows if identity is None]
    assert rest.answers > people - KEPT
    total = sum(counts.input_tokens for _, _, counts in rows)
    assert total == 100 * people + sum(number % 10 for number in range(people))


def test_a_tally_takes_what_another_one_has() -> None:
    one, other = UsageTally(), UsageTally()
    one.add("alice", "m", used(1))
    other.add("alice", "m", used(2))
    for number in range(KEPT + 1):
        other.add(f"person {number}", "n", used(1))
    one.merge(other)
    rows = list(one.rows())
    assert ("alice", "m", UsageCounts(answers=2, input_tokens=3)) in rows
    assert sum(counts.answers for _, model, counts in rows if model == "n") == KEPT + 1
