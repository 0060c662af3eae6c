"""Runs: questions whose answers somebody waits for in the agent itself."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from agent.contract.finish_reason import FinishReason
from agent.inbox.message import Key
from agent.replies.reply_stream import ReplyStream


@dataclass(frozen=True, slots=True)
class Answered:
    """The outcome of a question."""

    segment_id: str
    text: str
    finish_reason: FinishReason


class Runs:
    """Completes the waiting questions when their answers have ended; ignores other answers."""

    def __init__(self) -> None:
        self._expected: dict[Key, asyncio.Future[Answered]] = {}

    @contextmanager
    def expect(self, question: Key) -> Generator[asyncio.Future[Answered]]:
        """A future of the answer to a question that is about to be asked."""
        future: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        self._expected[question] = future
        try:
            yield future
        finally:
            del self._expected[question]

    def watch(self, question: Key, reply: ReplyStream) -> None:
        """Registers an answer when it is opened."""
        future = self._expected.get(question)
        if future is not None:
            reply.on_end = lambda ending: _settle(
                future, Answered(reply.segment_id, ending.kept, ending.finish_reason)
            )


def _settle(future: asyncio.Future[Answered], answered: Answered) -> None:
    if not future.done():
        future.set_result(answered)
