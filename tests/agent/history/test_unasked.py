"""Unasked answers, and the agent of each answer, on both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.history.errors import InvalidValueError
from agent.history.history import History
from agent.history.message import Message
from tests.agent.history.turns import ROOM, answer_to, asked, ended, everything, take_turn


def unasked(segment_id: str = "SG_own") -> Message:
    """Something that the agent is about to say by itself."""
    return Message(
        thread=ROOM,
        sender_id="agent",
        id=segment_id,
        role="assistant",
        text="",
        timestamp=1_700_000_002_000,
        sender_name="Agent",
    )


async def test_it_is_shown_once_it_has_ended(history: History) -> None:
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


async def test_it_is_kept_without_its_beginning_and_twice_as_once(history: History) -> None:
    said = ended(unasked(), "Good morning.")
    for _ in range(2):
        await history.finish_answer(said)
    assert [message.text for message in await everything(history)] == ["Good morning."]


async def test_several_stand_beside_answers_in_their_order(history: History) -> None:
    for number in (1, 2):
        said = unasked(f"SG_own_{number}")
        await history.add_message(said)
        await history.finish_answer(ended(said, f"{number}"))
        await take_turn(history, asked(f"{number}"))
    texts = [message.text for message in await everything(history)]
    assert texts == ["1", "Why?", "Because.", "2", "Why?", "Because."]


async def test_it_is_deleted_by_its_own_key_and_does_not_come_back(history: History) -> None:
    said = ended(unasked(), "Good morning.")
    await history.add_message(unasked())
    await history.finish_answer(said)
    assert await history.delete_message(said.key, asker="agent") == (said.key,)
    await history.finish_answer(said)
    assert await everything(history) == []


async def test_an_answer_names_its_agent(history: History) -> None:
    question = asked("1")
    await history.add_message(question)
    answer = await history.begin_answer(answer_to(question))
    await history.finish_answer(replace(ended(answer), agent="billing"))
    assert [message.agent for message in await everything(history)] == [None, "billing"]


async def test_a_question_without_its_sender_is_no_question() -> None:
    with pytest.raises(InvalidValueError, match="name its question and its asker"):
        replace(unasked(), in_reply_to="1")
