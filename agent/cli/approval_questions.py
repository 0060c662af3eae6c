"""ApprovalQuestions: whether tools may run, asked and answered in a terminal."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from agent.author_label import author_label
from agent.cli.command import CommandError, printable
from agent.client import Approval, Decision, RoomAgent

_NUMBER: Final = re.compile(r"[0-9]{1,9}")

USAGE: Final = "/approve [NUMBER] [no [REASON]]"

MAX_KEPT: Final = 64
"""Questions whose end the agent still has to announce; an agent that dies announces nothing."""


@dataclass(slots=True)
class _Question:
    number: int
    tool: str
    decision: asyncio.Future[Decision]

    @property
    def waits(self) -> bool:
        return not self.decision.done()

    @property
    def is_answered(self) -> bool:
        return self.decision.done() and not self.decision.cancelled()


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
        self._numbers = numbers
        self._questions: dict[str, _Question] = {}
        """By the call's id, oldest first; they stay until the agent says that they are over."""
        self._is_displaced = False
        """Whether a question was over before it was answered here: an answer without a number may
        be meant for it."""

    async def ask(self, approval: Approval) -> Decision:
        """Shows a question, and waits for its answer."""
        decision = asyncio.get_running_loop().create_future()
        question = self._questions.get(approval.call_id)
        if question is None:
            question = _Question(next(self._numbers), printable(approval.tool), decision)
            self._questions[approval.call_id] = question
            if len(self._questions) > MAX_KEPT:
                del self._questions[next(iter(self._questions))]
        question.decision = decision
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
        return [each.number for each in self._questions.values() if each.waits]

    def answer(self, typed: str) -> None:
        """Handles the arguments of `/approve`.

        Raises:
            CommandError: no waiting question is meant, or it could be one of several.
        """
        first, _, rest = typed.partition(" ")
        number = int(first) if _NUMBER.fullmatch(first) else None
        word, _, reason = (typed if number is None else rest.lstrip()).partition(" ")
        if word.lower() not in {"", "yes", "no"}:
            raise CommandError(USAGE)
        decision = Decision(word.lower() != "no", reason.strip())
        self._waiting(number).decision.set_result(decision)

    def _waiting(self, number: int | None) -> _Question:
        waiting = {each.number: each for each in self._questions.values() if each.waits}
        if not waiting:
            raise CommandError("nothing waits for approval")
        if number is None and len(waiting) == 1 and not self._is_displaced:
            return next(iter(waiting.values()))
        if number not in waiting:
            raise CommandError(f"{USAGE}: these wait: {', '.join(map(str, sorted(waiting)))}")
        self._is_displaced = False
        return waiting[number]

    def ended(self, notice: Mapping[str, Any]) -> None:
        """Shows how a question ended that was shown, and who else decided it."""
        question = self._questions.pop(str(notice["callId"]), None)
        self._is_displaced |= question is not None and not question.is_answered
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
