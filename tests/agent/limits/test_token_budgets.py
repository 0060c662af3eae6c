"""Tokens of a day: counted for all processes, on both databases."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from agent.history.errors import UnavailableError
from agent.history.history import History
from agent.history.token_usage import Account, TokenCount
from agent.limits import token_budgets
from agent.limits.counters import Counters, Scope
from agent.limits.token_budgets import TokenBudgets, accounts_of
from agent.wire.refusal import Refusal
from tests.agent.history.conftest import NewHistory, database_url, history, new_history

__all__ = ("database_url", "history", "new_history")

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
KITCHEN = Account(room="kitchen")
ACCOUNTS = accounts_of("acme", "kitchen", "ann")


def budgets(
    store: History | Away, *, now: Callable[[], datetime] = lambda: NOON, **limits: TokenCount
) -> TokenBudgets:
    by_scope: dict[Scope, TokenCount] = {}
    for scope in ("participant", "room", "tenant"):
        if scope in limits:
            by_scope[scope] = limits[scope]
    usage = store if isinstance(store, Away) else store.token_usage
    return TokenBudgets(by_scope, usage, Counters(), now=now)


class Away:
    """A database that is away, until it is not."""

    def __init__(self, history: History) -> None:
        self._usage = history.token_usage
        self.is_away = True

    async def read(self, day: str, accounts: Sequence[Account]) -> dict[Account, TokenCount]:
        self._check()
        return await self._usage.read(day, accounts)

    async def add(self, day: str, used: Mapping[Account, TokenCount]) -> dict[Account, TokenCount]:
        self._check()
        return await self._usage.add(day, used)

    async def forget(self, before: str) -> int:
        self._check()
        return await self._usage.forget(before)

    def _check(self) -> None:
        if self.is_away:
            raise UnavailableError("away")


async def test_counts_add_up_by_account_and_day(history: History) -> None:
    usage = history.token_usage
    assert await usage.read("2026-03-01", [KITCHEN]) == {}
    each = {KITCHEN: TokenCount(10, 1), Account(tenant="acme"): TokenCount(10, 1)}
    await asyncio.gather(*(usage.add("2026-03-01", each) for _ in range(20)))
    await usage.add("2026-03-02", {KITCHEN: TokenCount(5, 5)})
    found = await usage.read("2026-03-01", [KITCHEN, Account(tenant="acme"), Account(room="x")])
    assert found == {KITCHEN: TokenCount(200, 20), Account(tenant="acme"): TokenCount(200, 20)}
    assert await usage.forget("2026-03-02") == 2
    assert await usage.read("2026-03-02", [KITCHEN]) == {KITCHEN: TokenCount(5, 5)}


async def test_two_processes_share_one_budget(history: History, new_history: NewHistory) -> None:
    limit = TokenCount(1_000, 100)
    one, other = budgets(history, room=limit), budgets(new_history(), room=limit)
    one.add(ACCOUNTS, TokenCount(600, 10))
    await one.aclose()
    await other.load(ACCOUNTS)
    other.check(ACCOUNTS)
    other.add(ACCOUNTS, TokenCount(400, 10))
    with pytest.raises(Refusal) as refused:
        other.check(ACCOUNTS)
    await other.aclose()
    assert refused.value.code == 429
    assert refused.value.retry_after == pytest.approx(12 * 3600, abs=2)
    later = budgets(history, room=limit)
    await later.load(ACCOUNTS)
    with pytest.raises(Refusal):
        later.check(ACCOUNTS)
    assert await history.token_usage.read("2026-03-01", [KITCHEN]) == {
        KITCHEN: TokenCount(1000, 20)
    }


async def test_each_scope_has_its_own_limit(history: History) -> None:
    counted = budgets(history, participant=TokenCount(0, 10), tenant=TokenCount(0, 30))
    counted.add(ACCOUNTS, TokenCount(10**9, 10))
    with pytest.raises(Refusal, match="You have used up"):
        counted.check(ACCOUNTS)
    bob = accounts_of("acme", "hall", "bob")
    counted.check(bob)
    counted.add(bob, TokenCount(0, 20))
    with pytest.raises(Refusal, match="tokens of today are used up"):
        counted.check(accounts_of("acme", "cellar", "carol"))
    counted.check(accounts_of("", "cellar", "carol"))
    await counted.aclose()


async def test_a_new_day_begins_at_midnight(history: History) -> None:
    now = NOON
    counted = budgets(history, now=lambda: now, room=TokenCount(10, 0))
    counted.add(ACCOUNTS, TokenCount(10, 0))
    with pytest.raises(Refusal):
        counted.check(ACCOUNTS)
    now += timedelta(hours=12)
    counted.check(ACCOUNTS)
    counted.add(ACCOUNTS, TokenCount(3, 0))
    await counted.aclose()
    for day, count in (("2026-03-01", 10), ("2026-03-02", 3)):
        found = await history.token_usage.read(day, [KITCHEN])
        assert found == {KITCHEN: TokenCount(count, 0)}


async def test_a_database_that_is_away_stops_no_answer_and_loses_no_count(
    history: History,
) -> None:
    away = Away(history)
    counted = budgets(away, room=TokenCount(100, 0))
    await counted.load(ACCOUNTS)
    counted.check(ACCOUNTS)
    counted.add(ACCOUNTS, TokenCount(60, 0))
    await counted.aclose()
    away.is_away = False
    await counted.aclose()
    found = await history.token_usage.read("2026-03-01", [KITCHEN])
    assert found == {KITCHEN: TokenCount(60, 0)}


async def test_no_answer_waits_for_a_database_that_has_not_answered(
    history: History, new_history: NewHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_budgets, "PATIENCE", 0.01)
    monkeypatch.setattr(token_budgets, "ASKED_AGAIN_AFTER", 0.01)
    hall = Account(room="hall")
    full = {KITCHEN: TokenCount(100, 0), hall: TokenCount(100, 0)}
    await new_history().token_usage.add("2026-03-01", full)
    stored, answers = history.token_usage, asyncio.Event()
    direct = asyncio.current_task()
    asked: list[Account] = []

    class Silent(Away):
        async def read(self, day: str, accounts: Sequence[Account]) -> dict[Account, TokenCount]:
            if asyncio.current_task() is direct:
                asked.extend(accounts)
            await answers.wait()
            return await stored.read(day, accounts)

    counted = budgets(Silent(history), room=TokenCount(100, 0))
    for _ in range(2):
        await counted.load(ACCOUNTS)
        await counted.load(accounts_of("acme", "hall", "ann"))
    assert asked == [KITCHEN]
    answers.set()
    async with asyncio.timeout(20):
        for room in ("kitchen", "hall"):
            await until_refused(counted, accounts_of("acme", room, "ann"))
    await counted.aclose()


async def until_refused(counted: TokenBudgets, accounts: Mapping[Scope, Account]) -> None:
    """Returns once the database's number is known."""
    with contextlib.suppress(Refusal):
        while True:
            counted.check(accounts)
            await asyncio.sleep(0)


async def test_a_write_that_ends_during_a_read_is_not_undone_by_it(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, begun, goes_on = history.token_usage, asyncio.Event(), asyncio.Event()

    class Stale(Away):
        async def read(self, day: str, accounts: Sequence[Account]) -> dict[Account, TokenCount]:
            found = await stored.read(day, accounts)
            begun.set()
            await goes_on.wait()
            return found

    stale = Stale(history)
    stale.is_away = False
    await stored.add("2026-03-01", {KITCHEN: TokenCount(40, 0)})
    counted = budgets(stale, room=TokenCount(100, 0))
    monkeypatch.setattr(token_budgets, "PATIENCE", 20.0)
    counted.add(ACCOUNTS, TokenCount(60, 0))
    reading = asyncio.create_task(counted.load(ACCOUNTS))
    await begun.wait()
    # Writes the rest.
    await counted.aclose()
    goes_on.set()
    await reading
    with pytest.raises(Refusal):
        counted.check(ACCOUNTS)


async def test_a_stale_total_does_not_lower_a_count(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, begun, goes_on = history.token_usage, asyncio.Event(), asyncio.Event()

    class Slow(Away):
        async def add(
            self, day: str, used: Mapping[Account, TokenCount]
        ) -> dict[Account, TokenCount]:
            begun.set()
            await goes_on.wait()
            return await stored.add(day, used)

    slow = Slow(history)
    slow.is_away = False
    await stored.add("2026-03-01", {KITCHEN: TokenCount(40, 0)})
    counted = budgets(slow, room=TokenCount(100, 0))
    await counted.load(ACCOUNTS)
    counted.add(ACCOUNTS, TokenCount(60, 0))
    ending = asyncio.create_task(counted.aclose())
    await begun.wait()
    monkeypatch.setattr(token_budgets, "FRESH_FOR", 0.0)
    await counted.load(ACCOUNTS)
    with pytest.raises(Refusal):
        counted.check(ACCOUNTS)
    goes_on.set()
    await ending
    assert await stored.read("2026-03-01", [KITCHEN]) == {KITCHEN: TokenCount(100, 0)}
