"""A history over a store of an app's own: what the store lacks, and what happens when it fails."""

from __future__ import annotations

import asyncio

import pytest

from agent.history import own_turns
from agent.history.database import Database
from agent.history.database_url import DatabaseUrl
from agent.history.durable_history import DurableHistory
from agent.history.erasure import Subject
from agent.history.errors import RejectedError, UnavailableError
from agent.history.message import Summary, ThreadKey
from agent.history.open_history import open_history
from agent.history.own_history import OwnHistory
from agent.history.sql_history import SqlHistory
from agent.history.turn_store import StoredTurn, TurnStore
from agent.testing.history_samples import ROOM, asked, everything, take_turn
from tests.agent.history.stores import FullStore, LeastStore


class FailingStore(LeastStore):
    """Fails, or hangs, as long as it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.error: Exception | None = None
        self.hangs = False
        self.opened = 0

    async def open(self) -> None:
        if self.error is not None:
            raise self.error
        self.opened += 1

    async def add(self, turn: StoredTurn) -> int | None:
        if self.error is not None:
            raise self.error
        if self.hangs:
            await asyncio.Event().wait()
        return await super().add(turn)


async def opened(store: TurnStore, url: str = "sqlite://") -> DurableHistory:
    history = open_history(url, store)
    await history.migrate()
    return history


async def test_it_says_who_keeps_what() -> None:
    least, full = open_history("sqlite://", LeastStore()), open_history("sqlite://", FullStore())
    assert str(full) == "messages in FullStore, the rest in sqlite:///:memory:"
    assert str(least) == (
        "messages in LeastStore, the rest in sqlite:///:memory:; summaries are not kept; "
        "nothing can be erased, RETENTION_DAYS has no effect on messages; "
        "files stay in ATTACHMENTS_DIR"
    )
    await least.aclose()
    await full.aclose()


async def test_rooms_go_on_while_the_store_fails_and_nothing_is_lost() -> None:
    store = FailingStore()
    rest = SqlHistory(Database(DatabaseUrl.parse("sqlite://")))
    history = DurableHistory(OwnHistory(store, rest), first_pause=0.01)
    await history.migrate()
    store.error = OSError("the disk is full")
    assert (await history.add_message(asked("1"))).position is None
    assert not history.healthy
    with pytest.raises(UnavailableError):
        await history.page(ROOM, asker="ann")
    store.error = None
    await history.written()
    assert history.healthy
    assert [each.id for each in await everything(history)] == ["1"]
    await history.aclose()


async def test_a_store_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_turns, "CALL_TIMEOUT", 0.01)
    store = FailingStore()
    history = await opened(store)
    store.hangs = True
    assert (await history.add_message(asked("1"))).position is None
    store.hangs = False
    await history.written()
    assert [each.id for each in await everything(history)] == ["1"]
    await history.aclose()


async def test_an_end_that_was_sent_is_noted_before_the_worker_ends() -> None:
    store = LeastStore()
    history = await opened(store)
    answer = await take_turn(history, asked("1"))
    assert len(await history.untold("kitchen")) == 1
    history.end_told(answer.key)
    history.end_told(answer.key)
    await history.aclose()
    again = await opened(store)
    assert await again.untold("kitchen") == ()
    await again.aclose()


async def test_a_store_that_cannot_erase_erases_nothing() -> None:
    history = await opened(LeastStore())
    await take_turn(history, asked("1"))
    await history.boards.append("kitchen", 0, [(1, "{}")])
    with pytest.raises(RejectedError, match="no remove"):
        await history.erase(Subject(room="kitchen"))
    assert (await history.boards.load("kitchen")).operations == ("{}",)
    assert await history.attached_content(["ab" * 32]) == {"ab" * 32}
    await history.set_summary(ROOM, Summary("about whys", asked("1").key))
    (thread,) = await history.threads("kitchen", asker="ann")
    assert thread.summary is None
    await history.aclose()


async def test_boards_and_states_go_with_what_is_erased() -> None:
    history = await opened(FullStore())
    await take_turn(history, asked("1"))
    await history.set_summary(ROOM, Summary("about whys", asked("1").key))
    await history.boards.append("kitchen", 0, [(1, "{}")])
    erased = await history.erase(Subject(conversation="kitchen"))
    assert (erased.messages, erased.threads, erased.summaries, erased.boards) == (2, 1, 1, 1)
    assert await everything(history, ThreadKey("kitchen")) == []
    await history.aclose()
