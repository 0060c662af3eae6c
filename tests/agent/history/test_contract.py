"""The contract of every History, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import select

from agent.history.database import Database
from agent.history.database_url import DatabaseUrl
from agent.history.errors import InvalidValueError, NotAllowedError, NotFoundError
from agent.history.history import History
from agent.history.message import Feedback, Message, MessageKey, Reaction, Summary, ThreadKey
from agent.history.schema import feedback
from tests.agent.history.conftest import NewHistory
from tests.agent.history.turns import ROOM, answer_to, asked, ended, everything, take_turn

PRIVATE = ThreadKey("kitchen", "ann")


async def test_a_message_is_new_once(history: History) -> None:
    message = asked("1")
    assert await history.add_message(message)
    assert not await history.add_message(message)
    assert not await history.add_message(replace(message, text="something else"))
    (kept,) = await everything(history)
    assert kept.text == message.text


async def test_ids_are_unique_for_their_sender_and_thread_only(history: History) -> None:
    assert await history.add_message(asked("1"))
    assert await history.add_message(asked("1", sender="bob"))
    assert await history.add_message(asked("1", thread=PRIVATE))
    assert await history.add_message(asked("1", thread=ThreadKey("hall")))
    found = await history.find("kitchen", "1", asker="ann")
    assert [message.key for message in found] == [
        MessageKey(ROOM, "ann", "1"),
        MessageKey(ROOM, "bob", "1"),
        MessageKey(PRIVATE, "ann", "1"),
    ]


async def test_the_same_message_by_many_workers_at_once_is_new_for_one(
    history: History, new_history: NewHistory
) -> None:
    workers = [history, new_history(), new_history()]
    new = await asyncio.gather(*(worker.add_message(asked("1")) for worker in workers * 5))
    assert [each.is_new for each in new].count(True) == 1


async def test_a_message_waits_until_its_answer_has_ended(history: History) -> None:
    question = asked("1")
    await history.add_message(question)
    await history.add_message(replace(asked("2"), awaits_answer=False))
    (waiting,) = await history.unanswered("kitchen")
    assert (waiting.message.key, waiting.segment_id) == (question.key, None)
    assert waiting.message.form == "stream"

    answer = await history.begin_answer(answer_to(question, "SG_1"))
    (waiting,) = await history.unanswered("kitchen")
    assert waiting.segment_id == "SG_1"
    assert [message.id for message in await everything(history)] == ["1", "2"]

    await history.finish_answer(ended(answer, "Beca", "interrupted"))
    assert await history.unanswered("kitchen") == ()
    kept = await everything(history)
    assert [(m.id, m.text, m.finish_reason) for m in kept] == [
        ("1", "Why?", None),
        ("2", "Why?", None),
        ("SG_1", "Beca", "interrupted"),
    ]
    assert (kept[2].in_reply_to, kept[2].in_reply_to_sender) == ("1", "ann")


async def test_an_answer_goes_on_under_the_id_it_was_begun_with(
    history: History, new_history: NewHistory
) -> None:
    question = asked("1")
    await history.add_message(question)
    await history.begin_answer(answer_to(question, "SG_before"))
    resumed = await new_history().begin_answer(answer_to(question, "SG_after"))
    assert resumed.id == "SG_before"


async def test_a_question_has_one_answer_however_often_it_ends(history: History) -> None:
    question = asked("1")
    await history.add_message(question)
    # Not begun: the beginning may have been lost with a database that was away.
    await history.finish_answer(ended(answer_to(question, "SG_1"), "one"))
    await history.finish_answer(ended(answer_to(question, "SG_2"), "two", "length"))
    kept = await everything(history)
    assert [(m.id, m.text) for m in kept] == [("1", "Why?"), ("SG_2", "two")]
    assert not await history.add_message(question)
    assert await history.unanswered("kitchen") == ()


async def test_a_message_keeps_its_answer_until_the_new_one_ends(
    history: History,
) -> None:
    question = asked("1")
    answer = await take_turn(history, question, "old")
    again = await history.ask_again(question.key, asker="ann", text="How?")
    (waiting,) = await history.unanswered("kitchen")
    assert again == waiting
    assert (waiting.message.text, waiting.segment_id) == ("How?", answer.id)
    assert waiting.message.edited_at is not None
    assert [m.text for m in await everything(history)] == ["How?", "old"]

    begun = await history.begin_answer(answer_to(question, "SG_new"))
    assert (begun.id, begun.finish_reason) == (answer.id, None)
    await history.finish_answer(ended(begun, "new"))
    over = await history.begin_answer(answer_to(question, "SG_newer"))
    assert (over.id, over.finish_reason) == (answer.id, "stop")
    assert [m.text for m in await everything(history)] == ["How?", "new"]


async def test_pages_hold_each_message_once_oldest_first(history: History) -> None:
    for number in range(10):
        await take_turn(history, asked(str(number)))
    kept = await everything(history)
    assert [m.id for m in kept] == [i for n in range(10) for i in (str(n), f"SG_{n}")]
    last = await history.page(ROOM, asker="ann", limit=20)
    assert last.next_before is None
    assert list(last.messages) == kept
    # Any message can be read on from, wherever the reader had to stop.
    page = await history.page(ROOM, asker="ann", before=kept[5].cursor, limit=2)
    assert list(page.messages) == kept[3:5]


async def test_a_cursor_goes_on_while_people_write(history: History) -> None:
    for number in range(6):
        await history.add_message(asked(str(number)))
    page = await history.page(ROOM, asker="ann", limit=3)
    await history.add_message(asked("new"))
    await history.delete_message(page.messages[0].key, asker="ann")
    earlier = await history.page(ROOM, asker="ann", before=page.next_before, limit=3)
    assert [m.id for m in earlier.messages] == ["0", "1", "2"]
    assert earlier.next_before is None


@pytest.mark.parametrize(
    "cursor",
    ["", "1", "A" * 20, "A" * 10_000, "'; DROP TABLE history_message; --", "ü" * 20, "\0" * 20],
)
async def test_a_made_up_cursor_is_refused(history: History, cursor: str) -> None:
    with pytest.raises(InvalidValueError):
        await history.page(ROOM, asker="ann", before=cursor)


async def test_a_cursor_is_good_for_its_thread_only(history: History) -> None:
    await history.add_message(asked("1"))
    await history.add_message(asked("2"))
    cursor = (await history.page(ROOM, asker="ann", limit=1)).next_before
    for other in (PRIVATE, ThreadKey("hall")):
        with pytest.raises(InvalidValueError):
            await history.page(other, asker="ann", before=cursor)


@pytest.mark.parametrize("limit", [-1, 0, 201, 2**70])
async def test_the_limit_of_a_page_is_bounded(history: History, limit: int) -> None:
    with pytest.raises(InvalidValueError):
        await history.page(ROOM, asker="ann", limit=limit)


async def test_private_messages_are_seen_by_their_owner_alone(history: History) -> None:
    secret = asked("s", "secret", thread=PRIVATE)
    answer = await take_turn(history, secret, "also secret")
    await take_turn(history, asked("p", "public"))

    assert [m.text for m in await everything(history)] == ["public", "Because."]
    assert [m.text for m in await everything(history, PRIVATE)] == ["secret", "also secret"]
    assert await history.find("kitchen", "s", asker="bob") == ()
    assert await history.find("kitchen", answer.id, asker="bob") == ()
    assert [t.key for t in await history.threads("kitchen", asker="bob")] == [ROOM]
    assert [t.key for t in await history.threads("kitchen", asker="ann")] == [ROOM, PRIVATE]
    for refused in (
        history.page(PRIVATE, asker="bob"),
        history.ask_again(secret.key, asker="bob"),
        history.delete_message(answer.key, asker="bob"),
        history.delete_thread(PRIVATE, asker="bob"),
        history.set_reaction(answer.key, "👍", asker="bob"),
        history.set_feedback(answer.key, Feedback("bob", "up")),
    ):
        with pytest.raises(NotAllowedError):
            await refused
    assert len(await everything(history, PRIVATE)) == 2


def test_nobody_else_writes_into_a_private_thread() -> None:
    with pytest.raises(InvalidValueError):
        asked("1", sender="bob", thread=PRIVATE)


async def test_threads_tell_title_count_and_last_timestamp(history: History) -> None:
    assert await history.threads("kitchen", asker="ann") == ()
    await take_turn(history, asked("1", "  What\nis   this? " + "x" * 500))
    await history.begin_answer(answer_to(replace(asked("2"))))
    (thread,) = await history.threads("kitchen", asker="ann")
    assert thread.title.startswith("What is this? xxx")
    assert len(thread.title) == 80
    assert (thread.messages, thread.last_timestamp) == (2, 1_700_000_001_456)


async def test_a_deleted_question_takes_its_answer_along_and_is_not_new_again(
    history: History,
) -> None:
    question = asked("1")
    answer = await take_turn(history, question)
    await history.set_reaction(answer.key, "👍", asker="bob")
    await take_turn(history, asked("2"))
    assert await history.delete_message(question.key, asker="ann") == (question.key, answer.key)
    assert [m.id for m in await everything(history)] == ["2", "SG_2"]
    assert await history.find("kitchen", "1", asker="ann") == ()
    assert not await history.add_message(question)
    assert await history.unanswered("kitchen") == ()
    with pytest.raises(NotFoundError):
        await history.delete_message(question.key, asker="ann")


async def test_an_answer_can_be_deleted_alone_and_given_again(history: History) -> None:
    question = asked("1")
    answer = await take_turn(history, question)
    assert await history.delete_message(answer.key, asker="ann") == (answer.key,)
    assert [m.id for m in await everything(history)] == ["1"]
    await history.ask_again(question.key, asker="ann")
    await history.finish_answer(ended(answer, "again"))
    assert [m.text for m in await everything(history)] == ["Why?", "again"]


async def test_the_answer_to_a_question_deleted_meanwhile_is_not_kept(history: History) -> None:
    for number, begins in enumerate((True, False)):
        question = asked(str(number))
        await history.add_message(question)
        if begins:
            await history.begin_answer(answer_to(question))
        await history.delete_message(question.key, asker="ann")
        await history.finish_answer(ended(answer_to(question)))
    assert await everything(history) == []


async def test_a_deleted_thread_is_empty_and_can_be_used_again(history: History) -> None:
    question = asked("1")
    await take_turn(history, question)
    await history.set_summary(ROOM, Summary("about whys", question.key))
    await take_turn(history, asked("1", thread=PRIVATE))
    assert await history.delete_thread(ROOM, asker="ann") == 2
    assert await history.delete_thread(ROOM, asker="ann") == 0
    assert await history.delete_thread(ThreadKey("hall"), asker="ann") == 0
    assert [t.key for t in await history.threads("kitchen", asker="ann")] == [PRIVATE]
    await history.add_message(asked("2"))
    room, _ = await history.threads("kitchen", asker="ann")
    assert (room.messages, room.summary) == (1, None)


async def test_reactions_come_with_their_message(history: History) -> None:
    answer = await take_turn(history, asked("1"))
    for identity, emoji in (("bob", "👍"), ("ann", "👍🏽"), ("ann", "👍"), ("bob", "👍")):
        await history.set_reaction(answer.key, emoji, asker=identity)
    _, kept = await everything(history)
    assert kept.reactions == (Reaction("👍", ("bob", "ann")), Reaction("👍🏽", ("ann",)))
    await history.set_reaction(answer.key, "👍", asker="bob", present=False)
    await history.set_reaction(answer.key, "🙈", asker="bob", present=False)
    (kept,) = await history.find("kitchen", answer.id, asker="bob")
    assert kept.reactions == (Reaction("👍🏽", ("ann",)), Reaction("👍", ("ann",)))
    for emoji in ("", "👍" * 65):
        with pytest.raises(InvalidValueError):
            await history.set_reaction(answer.key, emoji, asker="ann")


async def test_the_last_feedback_of_each_is_kept(history: History, database_url: str) -> None:
    answer = await take_turn(history, asked("1"))
    for value in ("up", "down", 5, -0.5):
        await history.set_feedback(answer.key, Feedback("bob", value, "fine\0"))
    for value in (float("nan"), float("inf"), True):
        with pytest.raises(InvalidValueError):
            await history.set_feedback(answer.key, Feedback("bob", value))
    with pytest.raises(InvalidValueError):
        await history.set_feedback(answer.key, Feedback("bob", "up", "x" * 4_001))
    database = Database(DatabaseUrl.parse(database_url))
    rows = await database.read(lambda connection: connection.execute(select(feedback)).all())
    await database.aclose()
    assert [(row.identity, row.value, row.comment) for row in rows] == [("bob", "-0.5", "fine\0")]


async def test_a_summary_says_how_far_it_goes(history: History) -> None:
    question = asked("1")
    answer = await take_turn(history, question)
    await history.set_summary(ROOM, Summary("first", question.key))
    await history.set_summary(ROOM, Summary("then", answer.key))
    (thread,) = await history.threads("kitchen", asker="ann")
    assert thread.summary == Summary("then", answer.key)


@pytest.mark.parametrize("change", ["edit", "delete", "delete the answer"])
async def test_a_summary_goes_with_what_it_tells(history: History, change: str) -> None:
    first, second, third = asked("1"), asked("2"), asked("3")
    await take_turn(history, first)
    answer = await take_turn(history, second)
    await take_turn(history, third)

    async def do(question: Message, its_answer: Message) -> None:
        if change == "edit":
            await history.ask_again(question.key, asker="ann", text="And why?")
        else:
            message = question if change == "delete" else its_answer
            await history.delete_message(message.key, asker="ann")

    async def told() -> bool:
        return (await history.threads("kitchen", asker="ann"))[0].summary is not None

    await history.set_summary(ROOM, Summary("about whys", answer.key))
    await do(third, answer_to(third))
    assert await told()
    await do(second, answer)
    assert not await told()


async def test_unknown_ids_are_not_found(history: History, ids: Callable[[], str]) -> None:
    await history.add_message(asked("1"))
    for missing in (
        MessageKey(ROOM, "ann", ids() + "x"),
        MessageKey(ROOM, "bob", "1"),
        MessageKey(ThreadKey("kitchen", "bob"), "bob", "1"),
        MessageKey(ThreadKey("hall"), "ann", "1"),
    ):
        for refused in (
            history.ask_again(missing, asker="bob", text="x"),
            history.delete_message(missing, asker="bob"),
            history.set_reaction(missing, "👍", asker="bob"),
            history.set_feedback(missing, Feedback("bob", "up")),
            history.set_summary(missing.thread, Summary("x", missing)),
        ):
            with pytest.raises(NotFoundError):
                await refused
    assert [m.text for m in await everything(history)] == ["Why?"]


async def test_only_a_participants_message_is_asked_again(history: History) -> None:
    answer = await take_turn(history, asked("1"))
    with pytest.raises(NotFoundError):
        await history.ask_again(answer.key, asker="ann", text="changed")


async def test_many_rooms_write_at_once(history: History, new_history: NewHistory) -> None:
    workers = [history, new_history()]

    async def talk(room: int) -> None:
        thread = ThreadKey(f"room {room}")
        for number in range(5):
            await take_turn(workers[room % 2], asked(str(number), f"{room}", thread=thread))

    async with asyncio.timeout(30):
        await asyncio.gather(*(talk(room) for room in range(20)))
    for room in range(20):
        kept = await everything(history, ThreadKey(f"room {room}"))
        assert [m.text for m in kept] == [f"{room}", "Because."] * 5


async def test_all_of_it_is_there_after_a_restart(
    history: History, new_history: NewHistory
) -> None:
    await take_turn(history, asked("1"))
    await history.add_message(asked("2"))
    before = await everything(history)
    await history.aclose()
    restarted = new_history()
    await restarted.migrate()
    assert await everything(restarted) == before
    assert [item.message.id for item in await restarted.unanswered("kitchen")] == ["2"]
