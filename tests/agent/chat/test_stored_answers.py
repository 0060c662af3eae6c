"""StoredAnswers: which ends of answers count as sent, and when."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import pytest

from agent.chat import stored_answers
from agent.chat.stored_answers import StoredAnswers
from agent.chat.tenure import Tenure
from agent.history.message import Answered
from agent.testing.history_samples import ROOM, answer_to, asked, ended

if TYPE_CHECKING:
    from agent.history.history import History
    from agent.history.message import MessageKey


class Notes:
    """The deliveries that a history records; it has one answer that is not recorded as
    delivered."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.noted = asyncio.Event()

    def end_told(self, answer: MessageKey) -> None:
        self.told.append(answer.id)
        self.noted.set()

    async def untold(self, room: str) -> tuple[Answered, ...]:
        return (Answered(asked("1"), ended(answer_to(asked("1")))),)


def answers_of(notes: Notes, tenure: Tenure) -> StoredAnswers:
    return StoredAnswers(cast("History", notes), ROOM, "agent", tenure)


@pytest.mark.parametrize("lost", ["is_cut", "is_over", "is_reconnecting", None])
async def test_an_end_counts_as_sent_where_the_agent_leaves_a_room_that_it_is_in(
    lost: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_answers, "SENT_FOR", 120.0)
    notes, tenure = Notes(), Tenure()
    answers = answers_of(notes, tenure)
    answers.end_sent("SG_1")
    if lost is not None:
        setattr(tenure, lost, True)
    answers.note_ends()
    assert notes.told == (["SG_1"] if lost is None else [])


async def test_an_end_counts_as_sent_once_the_connection_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stored_answers, "SENT_FOR", 0.0)
    notes, tenure = Notes(), Tenure()
    tenure.is_reconnecting = True
    answers_of(notes, tenure).end_sent("SG_1")
    for _ in range(10):
        await asyncio.sleep(0)
    assert notes.told == []
    tenure.is_reconnecting = False
    async with asyncio.timeout(5):
        await notes.noted.wait()
    assert notes.told == ["SG_1"]


async def test_an_answer_whose_end_was_sent_a_moment_ago_is_not_sent_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stored_answers, "SENT_FOR", 120.0)
    answers = answers_of(Notes(), Tenure())
    assert [each.segment_id for each in await answers.untold()] == ["SG_1"]
    answers.end_sent("SG_1")
    assert await answers.untold() == ()
    answers.note_ends()
