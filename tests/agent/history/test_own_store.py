"""A history over a store of an app's own: what the store lacks, and what happens when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.history import own_turns
from agent.history.database import Database
from agent.history.database_url import DatabaseUrl
from agent.history.durable_history import DurableHistory
from agent.history.erasure import Subject
from agent.history.errors import RejectedError, UnavailableError
from agent.history.message import Message, Summary, ThreadKey
from agent.history.open_history import open_history
from agent.history.own_history import OwnHistory
from agent.history.own_turns import OwnTurns
from agent.history.sql_history import SqlHistory
from agent.history.turn_store import StoredTurn, TurnStore
from agent.testing.history_samples import ROOM, answer_to, asked, ended, everything, take_turn
from tests.agent.history.stores import FullStore, LeastStore


class FailingStore(LeastStore):
    """Fails, or hangs, as long as the test wants it to.

    Attributes:
        loses_question: the next `add` of a message fails.
        refused: id of the message whose turn it will never take.
        refuses_end: whether it will never take an answer that has ended.
    """

    def __init__(self) -> None:
        super().__init__()
        self.error: Exception | None = None
        self.loses_question = False
        self.refused = ""
        self.refuses_end: Callable[[Message], bool] = lambda _: False
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
        if turn.question is not None:
            if self.loses_question:
                self.loses_question = False
                raise OSError("the line broke")
            if turn.key.id == self.refused:
                raise RejectedError(f"too large: {turn.question.text}")
        return await super().add(turn)

    async def save(self, turn: StoredTurn) -> None:
        answer = turn.answer
        if answer is not None and answer.finish_reason is not None and self.refuses_end(answer):
            raise RejectedError("not this answer")
        await super().save(turn)


def impatient(store: TurnStore) -> DurableHistory:
    """One that tries again soon."""
    rest = SqlHistory(Database(DatabaseUrl.parse("sqlite://")))
    return DurableHistory(OwnHistory(store, rest), first_pause=0.01)


async def opened(store: TurnStore, url: str = "sqlite://") -> DurableHistory:
    history = open_history(url, store)
    await history.migrate()
    return history


async def test_it_reports_which_store_keeps_which_data() -> None:
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
    history = impatient(store)
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


async def test_a_question_is_kept_if_its_write_alone_fails() -> None:
    store = FailingStore()
    history = impatient(store)
    await history.migrate()
    store.error = OSError("the disk is full")
    for number in "12":
        await take_turn(history, asked(number))
    store.error = None
    store.loses_question = True
    async with asyncio.timeout(20):
        await history.written()
    assert not store.loses_question
    kept = await everything(history)
    assert [each.id for each in kept] == ["1", "SG_1", "2", "SG_2"]
    assert [each.text for each in kept] == ["Why?", "Because."] * 2
    assert await history.unanswered("kitchen") == ()
    assert (await history.add_message(asked("1"))).is_new is False
    await history.aclose()


async def test_a_question_that_comes_after_the_beginning_of_its_answer_awaits_it() -> None:
    history = await opened(LeastStore())
    await history.begin_answer(answer_to(asked("1")))
    added = await history.add_message(asked("1"))
    (waiting,) = await history.unanswered("kitchen")
    assert (waiting.message.id, waiting.message.position) == ("1", added.position)
    assert added.is_new
    await history.finish_answer(ended(answer_to(asked("1"))))
    assert [each.id for each in await everything(history)] == ["1", "SG_1"]
    await history.aclose()


async def test_a_turn_that_the_store_refuses_stops_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = FailingStore()
    history = await opened(store)
    store.refused = "2"
    with pytest.raises(RejectedError, match="refused by the store of the app"):
        await history.add_message(asked("2", "very secret"))
    assert history.healthy
    await take_turn(history, asked("1"))
    assert [each.id for each in await everything(history)] == ["1", "SG_1"]
    assert f"refused a call: RejectedError ({Path(__file__)}, line " in caplog.text
    assert "very secret" not in caplog.text
    await history.aclose()


async def test_a_turn_that_waits_and_is_refused_is_given_up_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = FailingStore()
    history = impatient(store)
    await history.migrate()
    store.error = OSError("the disk is full")
    for number in "123":
        await history.add_message(asked(number))
    store.refused = "2"
    store.error = None
    async with asyncio.timeout(20):
        await history.written()
    assert history.healthy
    assert [each.id for each in await everything(history)] == ["1", "3"]
    assert "lost: refused by the store of the app" in caplog.text
    await history.aclose()


async def kept_for_other_workers(store: FailingStore, url: str) -> list[str | None]:
    """The finish reasons of the answers that are kept, after a question whose answer the store
    refuses. Workers that come later have nothing to answer."""
    history = await opened(store, url)
    with pytest.raises(RejectedError):
        await take_turn(history, asked("1"), "an answer that is too large")
    await history.aclose()
    history = await opened(store, url)
    assert await history.unanswered("kitchen") == ()
    kept = [each.finish_reason for each in await everything(history) if each.role == "assistant"]
    await history.aclose()
    return kept


async def test_a_question_whose_answer_is_refused_is_not_answered_again(tmp_path: Path) -> None:
    store = FailingStore()
    store.refuses_end = lambda answer: "too large" in answer.text
    assert await kept_for_other_workers(store, f"sqlite:///{tmp_path}/agent.db") == ["error"]


async def test_a_question_of_which_every_end_is_refused_is_not_answered_again(
    tmp_path: Path,
) -> None:
    store = FailingStore()
    store.refuses_end = lambda _: True
    assert await kept_for_other_workers(store, f"sqlite:///{tmp_path}/agent.db") == []
    # Others are.
    history = await opened(store, f"sqlite:///{tmp_path}/agent.db")
    await history.add_message(asked("2"))
    assert [each.message.id for each in await history.unanswered("kitchen")] == ["2"]
    await history.aclose()


@pytest.mark.parametrize("log_content", [False, True])
async def test_driver_quotations_are_logged_only_with_log_content(
    caplog: pytest.LogCaptureFixture, *, log_content: bool
) -> None:
    store = FailingStore()
    history = open_history("sqlite://", store, log_content=log_content)
    await history.migrate()
    store.error = OSError("INSERT failed, parameters: 'very secret'")
    await history.add_message(asked("1", "very secret"))
    store.error = None
    await history.aclose()
    assert f"the store of the app failed: OSError ({Path(__file__)}, line " in caplog.text
    assert ("very secret" in caplog.text) == log_content


async def test_all_turns_of_a_thread_are_deleted_however_long_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = LeastStore()
    history = await opened(store)
    for number in "123":
        await take_turn(history, asked(number))
    defaults = OwnTurns.of_thread.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "most", 2)
    assert await history.delete_thread(ROOM, asker="ann") == 6
    assert len(store.turns) == 3
    assert not [text for text in store.turns.values() if "Why?" in text or "Because." in text]
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
