"""TurnContract: messages, answers and pages, as every History has them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from agent.history.errors import InvalidValueError
from agent.history.history import History
from agent.history.message import Answered, MessageKey, ThreadKey
from agent.testing.history_samples import (
    PRIVATE,
    ROOM,
    NewHistory,
    answer_to,
    asked,
    ended,
    everything,
    positions,
    take_turn,
    unasked,
)


class TurnContract:
    """Part of HistoryContract."""

    async def test_a_message_is_new_once(self, history: History) -> None:
        message = asked("1")
        assert await history.add_message(message)
        assert not await history.add_message(message)
        assert not await history.add_message(replace(message, text="something else"))
        (kept,) = await everything(history)
        assert kept.text == message.text

    async def test_ids_are_unique_for_their_sender_and_thread_only(self, history: History) -> None:
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
        self, history: History, new_history: NewHistory
    ) -> None:
        workers = [history, new_history(), new_history()]
        new = await asyncio.gather(*(worker.add_message(asked("1")) for worker in workers * 5))
        assert [each.is_new for each in new].count(True) == 1

    async def test_a_message_waits_until_its_answer_has_ended(self, history: History) -> None:
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
        kept = sorted(await everything(history), key=lambda message: message.position or 0)
        assert [(m.id, m.text, m.finish_reason) for m in kept] == [
            ("1", "Why?", None),
            ("SG_1", "Beca", "interrupted"),
            ("2", "Why?", None),
        ]
        assert (kept[1].in_reply_to, kept[1].in_reply_to_sender) == ("1", "ann")

    async def test_an_answer_goes_on_under_the_id_it_was_begun_with(
        self, history: History, new_history: NewHistory
    ) -> None:
        question = asked("1")
        await history.add_message(question)
        await history.begin_answer(answer_to(question, "SG_before"))
        resumed = await new_history().begin_answer(answer_to(question, "SG_after"))
        assert resumed.id == "SG_before"

    async def test_a_question_has_one_answer_however_often_it_ends(self, history: History) -> None:
        question = asked("1")
        await history.add_message(question)
        # Not begun: the beginning may have been lost in an outage of the database.
        await history.finish_answer(ended(answer_to(question, "SG_1"), "one"))
        await history.finish_answer(ended(answer_to(question, "SG_2"), "two", "length"))
        kept = await everything(history)
        assert [(m.id, m.text) for m in kept] == [("1", "Why?"), ("SG_2", "two")]
        assert not await history.add_message(question)
        assert await history.unanswered("kitchen") == ()

    async def test_pages_hold_each_message_once_oldest_first(self, history: History) -> None:
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

    async def test_a_cursor_goes_on_while_people_write(self, history: History) -> None:
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
    async def test_a_made_up_cursor_is_refused(self, history: History, cursor: str) -> None:
        with pytest.raises(InvalidValueError):
            await history.page(ROOM, asker="ann", before=cursor)

    async def test_a_cursor_is_good_for_its_thread_only(self, history: History) -> None:
        await history.add_message(asked("1"))
        await history.add_message(asked("2"))
        cursor = (await history.page(ROOM, asker="ann", limit=1)).next_before
        for other in (PRIVATE, ThreadKey("hall")):
            with pytest.raises(InvalidValueError):
                await history.page(other, asker="ann", before=cursor)

    @pytest.mark.parametrize("limit", [-1, 0, 201, 2**70])
    async def test_the_limit_of_a_page_is_bounded(self, history: History, limit: int) -> None:
        with pytest.raises(InvalidValueError):
            await history.page(ROOM, asker="ann", limit=limit)

    async def test_threads_tell_title_count_and_last_timestamp(self, history: History) -> None:
        assert await history.threads("kitchen", asker="ann") == ()
        await take_turn(history, asked("1", "  What\nis   this? " + "x" * 500))
        await history.begin_answer(answer_to(replace(asked("2"))))
        (thread,) = await history.threads("kitchen", asker="ann")
        assert thread.title.startswith("What is this? xxx")
        assert len(thread.title) == 80
        assert (thread.messages, thread.last_timestamp) == (2, 1_700_000_001_456)

    async def test_many_rooms_write_at_once(
        self, history: History, new_history: NewHistory
    ) -> None:
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
        self, history: History, new_history: NewHistory
    ) -> None:
        await take_turn(history, asked("1"))
        await history.add_message(asked("2"))
        before = await everything(history)
        await history.aclose()
        restarted = new_history()
        await restarted.migrate()
        assert await everything(restarted) == before
        assert [item.message.id for item in await restarted.unanswered("kitchen")] == ["2"]

    async def test_an_answer_follows_its_question_whenever_it_is_stored(
        self, history: History
    ) -> None:
        first, second = asked("1"), asked("2")
        positions_given = [(await history.add_message(each)).position for each in (first, second)]
        for question in (second, first):
            await history.finish_answer(ended(answer_to(question)))
        kept = await positions(history)
        assert [kept["1"], kept["2"]] == positions_given
        assert sorted(kept, key=lambda each: kept[each]) == ["1", "SG_1", "2", "SG_2"]
        assert kept["SG_1"] == kept["1"] + 1
        assert kept["SG_2"] == kept["2"] + 1

    async def test_a_position_outlives_edits_new_answers_and_restarts(
        self, history: History, new_history: NewHistory
    ) -> None:
        questions = [asked("1"), replace(asked("1", "Where?"), sender_id="bob"), asked("3")]
        for number, question in enumerate(questions):
            await history.add_message(question)
            await history.finish_answer(ended(answer_to(question, f"SG_{number}")))
        before = {each.key: each.position for each in await everything(history)}
        assert len(set(before.values())) == 6

        again = await history.ask_again(questions[0].key, asker="ann", text="How?")
        assert again.message.position == before[questions[0].key]
        assert (await history.unanswered("kitchen"))[0].message.position == again.message.position
        await history.finish_answer(ended(answer_to(questions[0], "SG_0"), "Thus."))
        await history.delete_message(questions[1].key, asker="bob")
        await take_turn(history, asked("4"))

        other = new_history()
        after = {each.key: each.position for each in await everything(other)}
        assert {key: after[key] for key in before if key in after} == {
            key: before[key] for key in before if key in after
        }
        assert len(after) == 6
        (found,) = await other.find("kitchen", "SG_0", asker="ann")
        assert found.position == before[found.key]

    async def test_a_repetition_has_no_position_of_its_own(self, history: History) -> None:
        first = await history.add_message(asked("1"))
        again = await history.add_message(asked("1"))
        assert first.is_new
        assert (again.is_new, again.position) == (False, None)

    async def test_what_is_unasked_is_shown_once_it_has_ended(self, history: History) -> None:
        said = unasked()
        added = await history.add_message(said)
        assert added.is_new
        assert await everything(history) == []
        assert await history.unanswered("kitchen") == ()
        await history.finish_answer(ended(said, "Good morning."))
        (kept,) = await everything(history)
        assert (kept.text, kept.finish_reason) == ("Good morning.", "stop")
        assert (kept.in_reply_to, kept.in_reply_to_sender) == (None, None)
        assert added.position is not None
        assert kept.position == added.position + 1

    async def test_what_is_unasked_is_kept_without_its_beginning_and_twice_as_once(
        self, history: History
    ) -> None:
        said = ended(unasked(), "Good morning.")
        for _ in range(2):
            await history.finish_answer(said)
        assert [message.text for message in await everything(history)] == ["Good morning."]

    async def test_unasked_answers_stand_beside_answers_in_their_order(
        self, history: History
    ) -> None:
        for number in (1, 2):
            said = unasked(f"SG_own_{number}")
            await history.add_message(said)
            await history.finish_answer(ended(said, f"{number}"))
            await take_turn(history, asked(f"{number}"))
        texts = [message.text for message in await everything(history)]
        assert texts == ["1", "Why?", "Because.", "2", "Why?", "Because."]

    async def test_what_is_unasked_is_deleted_by_its_own_key_and_does_not_come_back(
        self, history: History
    ) -> None:
        said = ended(unasked(), "Good morning.")
        await history.add_message(unasked())
        await history.finish_answer(said)
        assert await history.delete_message(said.key, asker="agent") == (said.key,)
        await history.finish_answer(said)
        assert await everything(history) == []

    async def test_an_answer_names_its_agent(self, history: History) -> None:
        question = asked("1")
        await history.add_message(question)
        answer = await history.begin_answer(answer_to(question))
        await history.finish_answer(replace(ended(answer), agent="billing"))
        assert [message.agent for message in await everything(history)] == [None, "billing"]

    async def test_an_end_that_was_not_sent_is_known_until_it_is(self, history: History) -> None:
        answer = await take_turn(history, asked("1"))
        ((question, untold),) = ((a.question, a.answer) for a in await history.untold("kitchen"))
        assert (question.id, untold.key) == ("1", answer.key)
        assert await history.answered(question.key) == Answered(question, untold)
        assert await history.untold("hall") == ()
        assert await history.answered(asked("2").key) is None
