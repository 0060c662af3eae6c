"""ApprovalQuestions: whether tools may run, asked and answered in a terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from agent.author_label import author_label
from agent.cli.command import CommandError, printable
from agent.cli.numbered_questions import NUMBER, NumberedQuestions, Question
from agent.client import Approval, Decision, RoomAgent

USAGE: Final = "/approve [NUMBER] [no [REASON]]"


class ApprovalQuestions:
    """Each question has a number, so that an answer is to the one that was meant.

    Args:
        tell: shows a line.
        numbers: for questions of any kind.
    """

    def __init__(
        self, agent: RoomAgent, tell: Callable[[str], None], numbers: Iterator[int]
    ) -> None:
        self._agent = agent
        self._tell = tell
        self._questions = NumberedQuestions[Question](numbers)

    async def ask(self, approval: Approval) -> Decision:
        """Shows a question, and waits for its answer."""
        decision: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        question = self._questions.find(approval.call_id)
        if question is None:
            number = self._questions.next_number()
            question = Question(number, printable(approval.tool), decision)
            self._questions.add(approval.call_id, question)
        question.answer = decision
        number, tool = question.number, question.tool
        arguments = printable(str(dict(approval.arguments)))
        me = self._agent.room.local_participant.identity
        sender = author_label(approval.sender_id, approval.sender_name)
        of = f" for {printable(sender)}" if approval.sender_id not in {"", me} else ""
        how = f"/approve {number}, or /approve {number} no"
        self._tell(f"[{number}] {tool} {arguments} wants to run{of}: {how}")
        return await decision

    @property
    def waiting(self) -> list[int]:
        """Numbers of the questions that wait for an answer."""
        return self._questions.waiting

    def answer(self, typed: str) -> None:
        """Handles the arguments of `/approve`.

        Raises:
            CommandError: no waiting question is meant, or it could be one of several.
        """
        first, _, rest = typed.partition(" ")
        number = first if NUMBER.fullmatch(first) else ""
        word, _, reason = (rest.lstrip() if number else typed).partition(" ")
        if word.lower() not in {"", "yes", "no"}:
            raise CommandError(USAGE)
        decision = Decision(word.lower() != "no", reason.strip())
        nothing = "nothing waits for approval"
        question = self._questions.chosen(number, nothing=nothing, usage=USAGE)
        question.answer.set_result(decision)

    def ended(self, notice: Mapping[str, Any]) -> None:
        """Shows how a question ended that was shown, and who else decided it."""
        question = self._questions.end(str(notice["callId"]))
        by, me = str(notice.get("by", "")), self._agent.room.local_participant.identity
        tool, outcome = printable(str(notice["tool"])), str(notice["outcome"])
        if question is None and by in {"", me}:
            return
        number = "" if question is None else f"[{question.number}] "
        if outcome == "unanswered":
            self._tell(f"{number}nobody decided in time about {tool}")
        elif outcome == "cancelled":
            self._tell(f"{number}{tool} is no longer asked about")
        else:
            who = "you have" if by == me else f"{printable(author_label(by))} has"
            self._tell(f"{number}{who} {printable(outcome)} {tool}")
