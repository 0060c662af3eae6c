"""Answer: the answer to one of your questions, while it arrives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from agent.client.agent_error import NoAnswerError

WHOLE: Final = frozenset({"stop", "length"})
"""Finish reasons of an answer in full."""


@dataclass(frozen=True, slots=True)
class Delta:
    """The next piece of the text. With `restarts`, the answer begins again with it."""

    text: str
    restarts: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """A part of the answer, as it is now."""

    part: Mapping[str, Any]


class Answer:
    """An async iterator of `Delta` and `Shown`. Unread deltas are merged.

    Attributes:
        question_id: id of the message that it answers.
        segment_id: id of the answer, once it has begun.
        finish_reason: once it has ended.
    """

    def __init__(self, question_id: str, *, silence: float) -> None:
        """`silence`: seconds without data after which the answer has failed."""
        self.question_id = question_id
        self.segment_id: str | None = None
        self.finish_reason: str | None = None
        self._silence = silence
        self._text = ""
        self._restarts = False
        self._parts: dict[str, Mapping[str, Any]] = {}
        self._open_parts = 0
        self._is_finished = False
        self._has_begun = False
        self._error: NoAnswerError | None = None
        self._changed = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[Delta | Shown]:
        """Raises NoAnswerError if it does not arrive in full."""
        while True:
            for event in self._take():
                yield event
            if self._is_over():
                break
            self._changed.clear()
            try:
                async with asyncio.timeout(self._silence):
                    await self._changed.wait()
            except TimeoutError:
                what = "the answer stalled for" if self._has_begun else "no answer within"
                raise NoAnswerError(504, f"{what} {self._silence:g} s") from None
        if self._error is not None:
            raise self._error
        if self.finish_reason not in WHOLE:
            reason = self.finish_reason
            raise NoAnswerError(500, f"the agent could not answer in full (finish_reason {reason})")

    async def text(self) -> str:
        """The whole text. Raises NoAnswerError."""
        text = ""
        async for event in self:
            if isinstance(event, Delta):
                text = event.text if event.restarts else text + event.text
        return text

    def _take(self) -> list[Delta | Shown]:
        events: list[Delta | Shown] = [Shown(part) for part in self._parts.values()]
        if self._text or self._restarts:
            events.append(Delta(self._text, self._restarts))
        self._text, self._restarts = "", False
        self._parts = {}
        return events

    def _is_over(self) -> bool:
        if self._text or self._parts:
            return False
        ended = self.finish_reason is not None and self._is_finished and not self._open_parts
        return ended or self._error is not None

    # Called by the RoomAgent.

    def begin(self, segment_id: str) -> None:
        """A stream of it was opened; it repeats the text so far."""
        if self._has_begun:
            self._text, self._restarts = "", True
        self.segment_id = segment_id
        self.finish_reason = None
        self._changed.set()

    def say(self, text: str) -> None:
        """Adds text."""
        self._has_begun = self._has_begun or bool(text)
        self._text += text
        self._changed.set()

    def show(self, part: Mapping[str, Any]) -> None:
        """A part, as it is now."""
        self._parts[part["id"]] = part
        self._changed.set()

    def parts_opened(self) -> None:
        """A stream of parts was opened."""
        self._open_parts += 1

    def parts_ended(self) -> None:
        """A stream of parts has ended."""
        self._open_parts -= 1
        self._changed.set()

    def end(self, finish_reason: str) -> None:
        """Notes that the text is complete."""
        self.finish_reason = finish_reason
        self._changed.set()

    def finish(self) -> None:
        """Handles the agent's notice that the answer has ended."""
        self._is_finished = True
        self._changed.set()

    def fail(self, error: NoAnswerError) -> None:
        """Ends the answer: no more of it will come."""
        if not self._is_over():
            self._error = error
        self._changed.set()
