"""ChangeContract: edits, deletions, files and erasure, as every History has them."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from agent.history.conversation_name import of_id, of_session
from agent.history.erasure import Erased, Subject
from agent.history.errors import InvalidValueError, NotAllowedError, NotFoundError
from agent.history.history import History
from agent.history.message import Feedback, Message, MessageKey, Reaction, Summary, ThreadKey
from agent.history.own_history import OwnHistory
from agent.history.turn_store import KeepsSummaries, KnowsFiles, RemovesTurns
from agent.testing.history_samples import (
    PRIVATE,
    ROOM,
    NewHistory,
    answer_to,
    asked,
    ended,
    everything,
    file,
    take_turn,
)


class ChangeContract:
    """Part of HistoryContract."""

    async def test_a_message_keeps_its_answer_until_the_new_one_ends(
        self,
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

    async def test_private_messages_are_seen_by_their_owner_alone(self, history: History) -> None:
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

    async def test_a_deleted_question_takes_its_answer_along_and_is_not_new_again(
        self,
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

    async def test_an_answer_can_be_deleted_alone_and_given_again(self, history: History) -> None:
        question = asked("1")
        answer = await take_turn(history, question)
        assert await history.delete_message(answer.key, asker="ann") == (answer.key,)
        assert [m.id for m in await everything(history)] == ["1"]
        await history.ask_again(question.key, asker="ann")
        await history.finish_answer(ended(answer, "again"))
        assert [m.text for m in await everything(history)] == ["Why?", "again"]

    async def test_the_answer_to_a_question_deleted_meanwhile_is_not_kept(
        self, history: History
    ) -> None:
        for number, begins in enumerate((True, False)):
            question = asked(str(number))
            await history.add_message(question)
            if begins:
                await history.begin_answer(answer_to(question))
            await history.delete_message(question.key, asker="ann")
            await history.finish_answer(ended(answer_to(question)))
        assert await everything(history) == []

    async def test_a_deleted_thread_is_empty_and_can_be_used_again(self, history: History) -> None:
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

    async def test_reactions_come_with_their_message(self, history: History) -> None:
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

    async def test_a_summary_says_how_far_it_goes(self, history: History) -> None:
        needs(history, KeepsSummaries)
        question = asked("1")
        answer = await take_turn(history, question)
        await history.set_summary(ROOM, Summary("first", question.key))
        await history.set_summary(ROOM, Summary("then", answer.key))
        (thread,) = await history.threads("kitchen", asker="ann")
        assert thread.summary == Summary("then", answer.key)

    @pytest.mark.parametrize("change", ["edit", "delete", "delete the answer"])
    async def test_a_summary_goes_with_what_it_tells(self, history: History, change: str) -> None:
        needs(history, KeepsSummaries)
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

    async def test_unknown_ids_are_not_found(self, history: History) -> None:
        await history.add_message(asked("1"))
        for missing in (
            MessageKey(ROOM, "ann", "unknown"),
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

    async def test_only_a_participants_message_is_asked_again(self, history: History) -> None:
        answer = await take_turn(history, asked("1"))
        with pytest.raises(NotFoundError):
            await history.ask_again(answer.key, asker="ann", text="changed")

    async def test_a_message_keeps_its_files_in_order(self, history: History) -> None:
        question = replace(asked("1"), attachments=(file(2), file(1)))
        await history.add_message(question)
        await history.add_message(asked("2"))
        await history.add_message(question)
        kept = await everything(history)
        assert [message.attachments for message in kept] == [(file(2), file(1)), ()]
        (first, _) = await history.unanswered("kitchen")
        assert first.message.attachments == (file(2), file(1))

    async def test_an_answer_has_the_files_of_its_last_version(self, history: History) -> None:
        question = asked("1")
        await history.add_message(question)
        await history.finish_answer(replace(ended(answer_to(question)), attachments=(file(1),)))
        await history.finish_answer(replace(ended(answer_to(question)), attachments=(file(2),)))
        assert [each.attachments for each in await everything(history)] == [(), (file(2),)]

    async def test_files_are_found_by_those_who_see_their_message(self, history: History) -> None:
        await history.add_message(replace(asked("1"), attachments=(file(1),)))
        await history.add_message(replace(asked("1", thread=PRIVATE), attachments=(file(2),)))

        assert await history.find_attachment("kitchen", "file_1", asker="bob") == (file(1), ROOM)
        assert await history.find_attachment("kitchen", "file_2", asker="ann") == (file(2), PRIVATE)
        assert await history.find_attachment("kitchen", "file_2", asker="bob") is None
        assert await history.find_attachment("hall", "file_1", asker="bob") is None
        assert await history.find_attachment("kitchen", "file_3", asker="ann") is None

    async def test_the_bytes_of_a_rooms_files_are_counted_by_sender(
        self, history: History, new_history: NewHistory
    ) -> None:
        """For all processes: they share the database."""
        other = new_history()
        assert await other.stored_bytes("kitchen") == {}
        await history.add_message(replace(asked("1"), attachments=(file(1), file(2))))
        await history.add_message(replace(asked("2", thread=PRIVATE), attachments=(file(2),)))
        await history.add_message(replace(asked("3", sender="bob"), attachments=(file(1),)))
        await history.add_message(
            replace(asked("4", thread=ThreadKey("hall")), attachments=(file(1),))
        )
        one, two = file(1).size, file(2).size
        assert await other.stored_bytes("kitchen") == {"ann": one + two + two, "bob": one}
        await history.delete_message(asked("1").key, asker="ann")
        assert await other.stored_bytes("kitchen") == {"ann": two, "bob": one}

    async def test_files_go_with_their_message(self, history: History) -> None:
        needs(history, KnowsFiles)
        message = replace(asked("1"), attachments=(file(1), file(2)))
        await history.add_message(message)
        await history.add_message(replace(asked("2"), attachments=(file(2),)))
        hashes = [file(number).sha256 for number in (1, 2, 3)]
        assert await history.attached_content(hashes) == set(hashes[:2])

        await history.delete_message(message.key, asker="ann")

        assert await history.find_attachment("kitchen", "file_1", asker="ann") is None
        assert await history.attached_content(hashes) == {hashes[1]}

    async def test_of_an_erased_participant_nothing_is_left(self, history: History) -> None:
        needs(history, RemovesTurns)
        ann = replace(asked("1", "ann's word"), attachments=(file(1),))
        answer = await take_turn(history, ann, "to ann")
        to_bob = await take_turn(history, asked("2", "bob's word", sender="bob"), "to bob")
        await take_turn(history, asked("3", "ann's secret", thread=PRIVATE), "between us")
        await history.set_reaction(to_bob.key, "👍", asker="ann")
        await history.set_reaction(answer.key, "👍", asker="bob")
        await history.set_feedback(to_bob.key, Feedback("ann", "up", "fine"))
        await take_turn(history, asked("1", thread=ThreadKey("hall")))
        erased = await history.erase(Subject("ann", conversation="kitchen"))
        assert erased == Erased(
            messages=4,
            threads=1,
            reactions=2,
            feedback=1,
            files=1,
            contents=frozenset({file(1).sha256}),
        )
        left = await everything(history, asker="bob")
        assert [(m.text, m.reactions) for m in left] == [("bob's word", ()), ("to bob", ())]
        assert await everything(history, PRIVATE) == []
        assert await history.erase(Subject("ann", conversation="kitchen")) == Erased()
        assert (await history.add_message(ann)).is_new
        assert len(await everything(history, ThreadKey("hall"))) == 2

    async def test_rooms_are_erased_with_all_their_conversations(self, history: History) -> None:
        needs(history, RemovesTurns)
        for name in ("kitchen", of_session("kitchen", "RM_1"), "hall", of_id("kitchen")):
            await take_turn(history, asked("1", thread=ThreadKey(name)))
        assert (await history.erase(Subject(room="kitchen"))).messages == 4
        assert await everything(history) == []
        assert await everything(history, ThreadKey(of_session("kitchen", "RM_1"))) == []
        assert len(await everything(history, ThreadKey("hall"))) == 2
        assert len(await everything(history, ThreadKey(of_id("kitchen")))) == 2

    async def test_what_is_old_expires(self, history: History) -> None:
        needs(history, RemovesTurns)
        for number in range(5):
            await take_turn(history, asked(f"{number}"))
        now = int(time.time() * 1000)
        assert await history.expire(now - 60_000, batch=2, pause=0) == Erased()
        assert (await history.expire(now + 60_000, batch=2, pause=0)).messages == 10
        assert await everything(history) == []


def needs(history: History, kind: type) -> None:
    """Skips a test of an optional part of a store that lacks it."""
    if isinstance(history, OwnHistory) and not isinstance(history.store, kind):
        pytest.skip(f"not every store {kind.__name__}")
