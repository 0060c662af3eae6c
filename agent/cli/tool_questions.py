"""ToolQuestions: what tools ask, answered in a terminal: fields one by one, a page, yes or no."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from agent.cli.command import printable
from agent.cli.form_fields import FormField, fields_of, misfits
from agent.cli.numbered_questions import NumberedQuestions, Question
from agent.client import Elicitation

ENDS: Final = {
    "accept": "you have answered {}",
    "decline": "you have declined what {} asks",
    "cancel": "you have left open what {} asks",
    "unanswered": "{} has no answer",
}

Given = Mapping[str, Any] | bool | None


@dataclass(slots=True)
class _Question(Question):
    """Attributes:
    content: of the fields before `at`.
    """

    asked: Elicitation
    fields: list[FormField]
    at: int = 0
    content: dict[str, Any] = field(default_factory=dict[str, Any])


class ToolQuestions:
    """`/answer` begins with the fields of a question: the lines after it are their values.

    Args:
        tell: shows a line.
        numbers: for questions of any kind.
    """

    def __init__(self, tell: Callable[[str], None], numbers: Iterator[int]) -> None:
        self._tell = tell
        self._questions = NumberedQuestions[_Question](numbers)
        self._filling: _Question | None = None
        """Whose fields are being filled in."""

    async def ask(self, asked: Elicitation) -> Given:
        """Shows a question, and waits for its answer."""
        given: asyncio.Future[Given] = asyncio.get_running_loop().create_future()
        tool = " ".join(printable(asked.tool).split())
        fields = fields_of(asked.schema or {})
        page = _page(asked.url)
        question = _Question(self._questions.next_number(), tool, given, asked, fields)
        self._questions.add(asked.question_id, question)
        # Its lines are marked: they are anybody's words, and must not pass for those below.
        lines = printable(asked.message).splitlines() or [""]
        self._tell("\n    | ".join([f"[{question.number}] {tool} asks: {lines[0]}", *lines[1:]]))
        if page is not None:
            self._tell(f"    It is about a page at {page[0]}, for you to open:")
            self._tell(f"    {page[1]}")
        number = question.number
        yes = "fills it in" if fields else "says yes"
        self._tell(
            f"    /answer {number} {yes}, /decline {number} says no, /cancel {number} neither."
        )
        return await given

    @property
    def waiting(self) -> list[int]:
        """Numbers of the questions that wait for an answer."""
        return self._questions.waiting

    async def answer(self, typed: str) -> None:
        """Takes what stands behind `/answer`. Raises CommandError."""
        question = self._named("answer", typed)
        if question.fields:
            question.at, question.content = 0, {}
            self._filling = question
            self._ask_field(question)
        else:
            question.answer.set_result(True)

    async def decline(self, typed: str) -> None:
        """Takes what stands behind `/decline`. Raises CommandError."""
        self._refuse("decline", typed, given=False)

    async def cancel(self, typed: str) -> None:
        """Takes what stands behind `/cancel`. Raises CommandError."""
        self._refuse("cancel", typed, given=None)

    def take(self, line: str) -> bool:
        """Takes a line that is the value of a field; whether it was one."""
        question = self._filling
        if question is None:
            return False
        if not question.waits:
            # It ended while the line was typed, which was meant for nobody else.
            self._filling = None
            self._tell(f"[{question.number}] is over: the line was not sent")
            return True
        one = question.fields[question.at]
        text = line.strip()
        try:
            if text:
                question.content[one.name] = one.value_of(text)
            elif one.has_default:
                question.content[one.name] = one.schema["default"]
            elif one.is_required:
                raise ValueError("it is required")
        except ValueError as error:
            self._tell(f"    not that: {printable(str(error))}")
            self._ask_field(question)
            return True
        question.at += 1
        if question.at < len(question.fields):
            self._ask_field(question)
        else:
            self._send(question)
        return True

    def ended(self, notice: Mapping[str, Any]) -> None:
        """Shows the end of a question that was shown."""
        question = self._questions.end(str(notice["questionId"]))
        if question is None:
            return
        question.answer.cancel()
        how = ENDS.get(str(notice["outcome"]), "{} no longer asks")
        self._tell(f"[{question.number}] {how.format(question.tool)}")

    def _send(self, question: _Question) -> None:
        """Gives the answer, or begins again where its fields do not fit together."""
        wrong = misfits(question.asked.schema or {}, question.content)
        if not wrong:
            self._filling = None
            question.answer.set_result(question.content)
            return
        for name, expected in wrong.items():
            self._tell(f"    {printable(name)}: {printable(expected)}")
        question.at, question.content = 0, {}
        self._ask_field(question)

    def _ask_field(self, question: _Question) -> None:
        one = question.fields[question.at]
        about = f": {one.description}" if one.description else ""
        self._tell(printable(f"[{question.number}] {one.title} ({one.hint}){about}"))

    def _refuse(self, command: str, typed: str, *, given: Given) -> None:
        question = self._named(command, typed)
        if self._filling is question:
            self._filling = None
        question.answer.set_result(given)

    def _named(self, command: str, typed: str) -> _Question:
        """The question that a command is for: that of a number, or the only one."""
        if not typed and self._filling is not None and self._filling.waits:
            return self._filling
        usage = f"/{command} [NUMBER]"
        return self._questions.chosen(typed, nothing="no tool asks anything", usage=usage)


def _page(url: str) -> tuple[str, str] | None:
    """The host of a page and its address, with the host as DNS has it: letters of another script
    may look like Latin ones. Raises ValueError for what is no URL."""
    if not url:
        return None
    given = urlsplit(url).netloc
    labels = (
        label if label.isascii() else f"xn--{label.lower().encode('punycode').decode()}"
        for label in given.split(".")
    )
    host = ".".join(labels)
    return printable(host), printable(url.replace(given, host, 1))
