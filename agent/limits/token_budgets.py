"""TokenBudgets: the tokens that a day's answers may cost, counted for all processes together."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from agent.history.errors import HistoryError
from agent.history.token_usage import Account, TokenCount, TokenUsage
from agent.limits.counters import Counters, Kind, Scope
from agent.tasks import Tasks
from agent.wire.refusal import Refusal

logger = logging.getLogger(__name__)

SAVED_AFTER: Final = 1.0
"""Seconds from a use to its write. A killed process loses its counts of this time."""

RETRIED_AFTER: Final = 30.0
FRESH_FOR: Final = 30.0
"""Seconds after which the database is asked again what other processes have used."""

PATIENCE: Final = 1.0
"""Seconds that an answer waits for the counts of its accounts before it begins anyway."""

ASKED_AGAIN_AFTER: Final = 2.0
ASKING_TAKES: Final = 10.0
"""Seconds between two questions to a database that has not answered, and for each of them: they are
asked in the background, and answers do not wait."""

ASKED_AT_ONCE: Final = 500
"""Accounts of such a question."""

MAX_ACCOUNTS: Final = 50_000
KEPT_DAYS: Final = 35

_SENTENCES: Final[Mapping[Scope, str]] = {
    "participant": "You have used up your tokens of today",
    "room": "This room has used up its tokens of today",
    "tenant": "The tokens of today are used up",
}


def _utc_now() -> datetime:
    return datetime.now(UTC)


class TokenBudgets:
    """The token limits of a process; a day begins at midnight UTC.

    Accounts without a limit are counted in `counters` alone, and not written down. By how much a
    budget may be exceeded is in docs/configuration.md, Limits.

    Args:
        limits: tokens of a day by scope; 0: no limit.
        now: in UTC.
    """

    def __init__(
        self,
        limits: Mapping[Scope, TokenCount],
        store: TokenUsage,
        counters: Counters,
        *,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._limits = {scope: limit for scope, limit in limits.items() if limit != TokenCount()}
        self._store = store
        self._counters = counters
        self._now = now
        self._day = ""
        self._used: OrderedDict[Account, TokenCount] = OrderedDict()
        """Today's tokens: the database's last number, and the counts here since."""
        self._read_at: dict[Account, float] = {}
        self._unsaved: dict[Account, TokenCount] = {}
        self._being_saved: Mapping[Account, TokenCount] = {}
        self._saves = 0
        """Saves that have ended."""
        self._unread: dict[Account, None] = {}
        """Accounts that are asked for in the background."""
        self._asking: asyncio.Task[None] | None = None
        self._tasks = Tasks()
        self._timer: asyncio.TimerHandle | None = None
        self._saving: asyncio.Task[None] | None = None
        self._closed = False

    def limited(self, accounts: Mapping[Scope, Account]) -> dict[Scope, Account]:
        """The accounts that have a limit."""
        return {scope: account for scope, account in accounts.items() if scope in self._limits}

    def check(self, accounts: Mapping[Scope, Account]) -> None:
        """Raises Refusal (429) if one of the accounts is used up, as far as is known here;
        `retry_after` is the end of the day."""
        self._begin_day()
        for scope, account in accounts.items():
            limit, used = self._limits.get(scope), self._used.get(account)
            if limit is None or used is None:
                continue
            spent = _spent(limit, used)
            if spent is not None:
                self._counters.refused[spent, scope] += 1
                sentence = f"{_SENTENCES[scope]}. It can go on after midnight UTC."
                raise Refusal(429, sentence, retry_after=float(self._seconds_left()))

    async def load(self, accounts: Mapping[Scope, Account]) -> None:
        """Reads the usage of other processes. Returns at once if that is known, or while the
        database does not answer: it is asked in the background then."""
        self._begin_day()
        now = asyncio.get_running_loop().time()
        wanted = [
            account
            for account in self.limited(accounts).values()
            if now - self._read_at.get(account, -FRESH_FOR) >= FRESH_FOR
        ]
        if not wanted:
            return
        if not self._is_asking:
            try:
                await self._read(wanted, PATIENCE)
            except (HistoryError, TimeoutError) as error:
                logger.warning(
                    "token counts not read; using the counts of this process: %s",
                    error or type(error).__name__,
                )
            else:
                return
        self._ask_later(wanted)

    def add(self, accounts: Mapping[Scope, Account], count: TokenCount) -> None:
        """Counts tokens of one request; never waits."""
        self._counters.used["tokens_in"] += count.tokens_in
        self._counters.used["tokens_out"] += count.tokens_out
        self._begin_day()
        for account in self.limited(accounts).values():
            self._know(account, self._used.get(account, TokenCount()) + count)
            if account in self._unsaved or len(self._unsaved) < MAX_ACCOUNTS:
                self._unsaved[account] = self._unsaved.get(account, TokenCount()) + count
        if self._unsaved:
            self._save_in(SAVED_AFTER)

    async def aclose(self) -> None:
        """Writes the rest, once."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._saving is not None:
            await asyncio.wait((self._saving,))
        if self._unsaved:
            await self._save()
        await self._tasks.aclose()

    async def _read(self, wanted: Sequence[Account], seconds: float) -> None:
        day, saves, now = self._day, self._saves, asyncio.get_running_loop().time()
        async with asyncio.timeout(seconds):
            found = await self._store.read(day, wanted)
        if day == self._day:
            for account in wanted:
                self._read_at[account] = now
                stored = found.get(account, TokenCount())
                self._learn(account, stored, is_stale=saves != self._saves)

    @property
    def _is_asking(self) -> bool:
        return self._asking is not None and not self._asking.done()

    def _ask_later(self, wanted: Sequence[Account]) -> None:
        if len(self._unread) < MAX_ACCOUNTS:
            self._unread.update(dict.fromkeys(wanted))
        if not self._is_asking and not self._closed:
            self._asking = self._tasks.start(self._ask(), name="ask for token counts")

    async def _ask(self) -> None:
        await asyncio.sleep(ASKED_AGAIN_AFTER)
        while self._unread:
            wanted = tuple(self._unread)[:ASKED_AT_ONCE]
            try:
                await self._read(wanted, ASKING_TAKES)
            except (HistoryError, TimeoutError):
                await asyncio.sleep(ASKED_AGAIN_AFTER)
            else:
                for account in wanted:
                    self._unread.pop(account, None)

    def _save_in(self, seconds: float) -> None:
        if self._timer is None and self._saving is None and not self._closed:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._begin_saving)

    def _begin_saving(self) -> None:
        self._timer = None
        self._saving = self._tasks.start(self._save(), name="save token counts")

    async def _save(self) -> None:
        pause = SAVED_AFTER
        day, saving, self._unsaved = self._day, self._unsaved, {}
        self._being_saved = saving
        try:
            totals = await self._store.add(day, saving)
        except HistoryError as error:
            logger.warning(
                "token counts of %s accounts not written; will retry in %g s: %s",
                len(saving),
                RETRIED_AFTER,
                error,
            )
            pause = RETRIED_AFTER
            if day == self._day:
                self._keep_unsaved(saving)
        else:
            if day == self._day:
                for account, total in totals.items():
                    self._know(account, total + self._unsaved.get(account, TokenCount()))
        finally:
            self._saving, self._being_saved = None, {}
            self._saves += 1
        if self._unsaved:
            self._save_in(pause)

    def _keep_unsaved(self, saving: Mapping[Account, TokenCount]) -> None:
        for account, count in saving.items():
            self._unsaved[account] = self._unsaved.get(account, TokenCount()) + count

    def _learn(self, account: Account, stored: TokenCount, *, is_stale: bool) -> None:
        """Takes the database's number, which may lack counts that are still being written.

        Args:
            is_stale: a write ended while the number was read.
        """
        used = stored + self._unsaved.get(account, TokenCount())
        here = self._used.get(account, TokenCount())
        if is_stale or stored == TokenCount() or account in self._being_saved:
            used = TokenCount(
                max(used.tokens_in, here.tokens_in), max(used.tokens_out, here.tokens_out)
            )
        self._know(account, used)

    def _know(self, account: Account, used: TokenCount) -> None:
        self._used[account] = used
        self._used.move_to_end(account)
        if len(self._used) > MAX_ACCOUNTS:
            forgotten, _ = self._used.popitem(last=False)
            self._read_at.pop(forgotten, None)

    def _begin_day(self) -> None:
        today = self._now().date().isoformat()
        if today == self._day:
            return
        former, self._day = self._day, today
        self._used.clear()
        self._read_at.clear()
        unsaved, self._unsaved = self._unsaved, {}
        if former and self._limits and not self._closed:
            self._tasks.start(self._end_day(former, unsaved), name="token counts of a new day")

    async def _end_day(self, former: str, unsaved: Mapping[Account, TokenCount]) -> None:
        first = self._now().date() - timedelta(days=KEPT_DAYS)
        try:
            if unsaved:
                await self._store.add(former, unsaved)
            await self._store.forget(first.isoformat())
        except HistoryError as error:
            logger.warning("token counts of yesterday not written: %s", error)

    def _seconds_left(self) -> int:
        now = self._now()
        midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), tzinfo=UTC)
        return max(int((midnight - now).total_seconds()) + 1, 1)


def _spent(limit: TokenCount, used: TokenCount) -> Kind | None:
    """The first budget that is used up, or None."""
    if 0 < limit.tokens_in <= used.tokens_in:
        return "tokens_in"
    if 0 < limit.tokens_out <= used.tokens_out:
        return "tokens_out"
    return None


def accounts_of(tenant: str, room: str, identity: str) -> dict[Scope, Account]:
    """The accounts that the tokens of one answer count for."""
    accounts: dict[Scope, Account] = {"room": Account(room=room)}
    if identity:
        accounts["participant"] = Account(room=room, identity=identity)
    if tenant:
        accounts["tenant"] = Account(tenant=tenant)
    return accounts
