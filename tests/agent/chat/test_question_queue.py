"""QuestionQueue: senders take turns, and changes keep the places of what waits."""

from __future__ import annotations

import asyncio

import pytest

from agent.chat.question import Question
from agent.chat.question_queue import QuestionQueue
from agent.inbox.message import Form, IncomingMessage, Sender
from agent.limits.counters import Counters
from agent.limits.gauge import Gauge
from agent.wire.refusal import Refusal


def question(name: str, text: str = "") -> Question:
    """`a1` is Alice's first one."""
    message = IncomingMessage(
        id=name, sender=Sender(name[0], name[0]), text=text, timestamp=0, form=Form.STREAM
    )
    return Question(message, f"SG_{name}")


def queue_of(*names: str, limit: int = 50) -> QuestionQueue:
    queue = QuestionQueue(limit, Gauge("answers", "", (), Counters()))
    for name in names:
        queue.add(question(name))
    return queue


async def take(queue: QuestionQueue) -> Question:
    async with asyncio.timeout(1):
        taken = await queue.first()
    assert taken is not None
    assert queue.take(taken)
    return taken


def waiting(queue: QuestionQueue) -> list[str]:
    return [each.message.id for each in queue.questions]


async def drain(queue: QuestionQueue) -> list[str]:
    names: list[str] = []
    while queue.questions:
        taken = await take(queue)
        names.append(taken.message.id)
        queue.done(taken)
    return names


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("a1 a2 a3", "a1 a2 a3"),
        ("a1 a2 a3 b1", "a1 b1 a2 a3"),
        ("a1 a2 b1 b2 c1", "a1 b1 c1 a2 b2"),
        ("a1 b1 a2 a3 b2 c1 c2 c3", "a1 b1 c1 a2 b2 c2 a3 c3"),
    ],
)
async def test_senders_take_turns_and_each_keeps_their_own_order(asked: str, answered: str) -> None:
    queue = queue_of(*asked.split())
    assert waiting(queue) == answered.split()
    assert await drain(queue) == answered.split()


async def test_a_new_sender_goes_before_the_rest_of_the_current_sender() -> None:
    queue = queue_of("a1", "a2")
    taken = await take(queue)
    queue.add(question("b1"))
    assert waiting(queue) == ["b1", "a2"]
    queue.done(taken)
    queue.add(question("b2"))
    queue.add(question("c1"))
    assert await drain(queue) == ["b1", "a2", "c1", "b2"]


async def test_asking_again_and_again_does_not_keep_others_waiting() -> None:
    queue = queue_of("a1", "b1")
    for number in range(2, 5):
        taken = await take(queue)
        assert taken.message.id == f"a{number - 1}"
        queue.add(question(f"a{number}"))
        queue.done(taken)
        other = await take(queue)
        assert other.message.id == f"b{number - 1}"
        queue.add(question(f"b{number}"))
        queue.done(other)


async def test_the_end_of_a_question_that_was_not_taken_ends_no_turn() -> None:
    queue = queue_of("a1", "a2", "a3")
    taken = await take(queue)
    withdrawn = queue.find(("a", "a2"))
    assert withdrawn is not None
    queue.take_out(withdrawn)
    queue.done(withdrawn)
    queue.add(question("b1"))
    queue.done(taken)
    assert await drain(queue) == ["b1", "a3"]


async def test_a_sender_whose_last_question_was_taken_out_loses_their_turn() -> None:
    queue = queue_of("a1", "b1")
    withdrawn = queue.find(("a", "a1"))
    assert withdrawn is not None
    queue.take_out(withdrawn)
    queue.done(withdrawn)
    queue.add(question("a2"))
    assert await drain(queue) == ["b1", "a2"]


async def test_older_questions_come_first_and_once() -> None:
    queue = queue_of("b2", "c1", "a1")
    queue.add_older([question("a1", "older"), question("b1")])
    assert waiting(queue) == ["a1", "b1", "c1", "b2"]
    found = queue.find(("a", "a1"))
    assert found is not None
    assert found.message.text == "older"
    assert await drain(queue) == ["a1", "b1", "c1", "b2"]


async def test_a_replaced_question_keeps_its_place() -> None:
    queue = queue_of("a1", "a2", "b1")
    former = queue.find(("a", "a2"))
    assert former is not None
    queue.replace(former, question("a2", "edited"))
    assert waiting(queue) == ["a1", "b1", "a2"]


async def test_a_held_question_keeps_its_turn() -> None:
    queue = queue_of("a1", "b1")
    with queue.held((("a", "a1"),)):
        first = asyncio.ensure_future(queue.first())
        held = queue.find(("a", "a1"))
        assert held is not None
        assert not queue.take(held)
        await asyncio.wait([first], timeout=0)
        assert not first.done()
    async with asyncio.timeout(1):
        assert await first is held


async def test_the_bound_counts_what_waits_and_what_is_being_answered() -> None:
    queue = queue_of("a1", "a2", limit=2)
    taken = await take(queue)
    with pytest.raises(Refusal) as refused:
        queue.check("a")
    assert refused.value.code == 429
    queue.check("b")
    queue.done(taken)
    queue.check("a")


async def test_a_queue_that_was_given_up_names_each_question_once_and_gives_none_away() -> None:
    queue = queue_of("a1", "a2", "b1")
    taken = await take(queue)
    assert [each.message.id for each in queue.give_up()] == ["b1", "a2"]
    queue.done(taken)
    queue.add(question("c1"))
    assert not queue.take(queue.questions[0])
    assert [each.message.id for each in queue.give_up()] == ["c1"]
    queue.close()
