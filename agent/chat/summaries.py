"""Summaries: summaries of a room's threads, stored in the history."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Final

from agent.author_label import author_label, labelled
from agent.history.errors import NotFoundError, UnavailableError
from agent.history.history import MAX_PAGE, History
from agent.history.message import Message, Summary, ThreadKey
from agent.inbox.message import Sender
from agent.models.summariser import Summariser, SummaryError
from agent.telemetry import log_fields

MAX_MESSAGES: Final = 1_000
"""Newest messages that are read for a summary; older ones that no summary covers are left out."""

MAX_EXCERPT: Final = 2_000
"""Characters of one message that the model is given."""

MAX_RECORD: Final = 60_000
"""Characters that the model gets at a time, about 15,000 tokens."""

ATTEMPTS: Final = 3
"""Attempts at a summary when messages change meanwhile."""


class Summaries:
    """Brings the summaries of one room's threads up to date, each thread's by one task at a time.

    A summary goes up to a message that has its answer: a message that waits for one is in the next
    summary. The store drops a summary when a message in it changes; then a new one is made.
    """

    def __init__(self, history: History, summariser: Summariser, agent: Sender) -> None:
        self._history = history
        self._summariser = summariser
        self._agent = agent
        self._tasks: dict[ThreadKey, asyncio.Task[Summary | None]] = {}
        self._closed = False

    async def stored(self, thread: ThreadKey) -> Summary | None:
        """The summary as it was left. Raises HistoryError."""
        asker = self._asker(thread)
        threads = await self._history.threads(thread.room, asker=asker)
        return next((each.summary for each in threads if each.key == thread), None)

    async def up_to_date(self, thread: ThreadKey) -> Summary | None:
        """The summary of all that was said and answered; None if that is nothing.

        It is finished and kept also if nobody waits for it any more.

        Raises:
            HistoryError: the store cannot be used.
            SummaryError: the model fails, or the messages are being changed all the time.
        """
        for _ in range(ATTEMPTS):
            if self._closed:
                raise UnavailableError("The agent is leaving.")
            task = self._tasks.get(thread)
            if task is None:
                # A context of its own: it belongs to nobody who happens to ask for it first.
                task = asyncio.create_task(
                    self._bring_up_to_date(thread),
                    name="summary",
                    context=log_fields.separate_context(thread_id=thread.id),
                )
                self._tasks[thread] = task
                task.add_done_callback(lambda done: self._forget(thread, done))
            await asyncio.wait((task,))
            if not task.cancelled():
                return task.result()
        raise SummaryError("the messages are being changed")

    def changed(self, thread: ThreadKey) -> None:
        """Discards a summary that is being made, since something in the thread changes.

        Call it before the store is changed, and again after that.
        """
        if task := self._tasks.pop(thread, None):
            task.cancel()

    async def aclose(self) -> None:
        """Gives up the summaries that are being made."""
        self._closed = True
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _forget(self, thread: ThreadKey, task: asyncio.Task[Summary | None]) -> None:
        if self._tasks.get(thread) is task:
            del self._tasks[thread]
        if not task.cancelled():
            task.exception()  # A waiting caller has it; it is no loss if there is none.

    async def _bring_up_to_date(self, thread: ThreadKey) -> Summary | None:
        former = await self.stored(thread)
        messages = await self._since(thread, former)
        if not messages:
            return former
        text = former.text if former else ""
        for record in _records(messages):
            text = await self._summariser.summarise(text, record)
        if not text:
            return former
        summary = Summary(text, messages[-1].key)
        try:
            await self._history.set_summary(thread, summary)
        except NotFoundError:
            raise SummaryError("the messages are being changed") from None
        return summary

    async def _since(self, thread: ThreadKey, former: Summary | None) -> list[Message]:
        """The turns after a summary, up to the first message that waits for an answer."""
        newest_first: list[Message] = []
        before: str | None = None
        while len(newest_first) < MAX_MESSAGES:
            page = await self._history.page(
                thread, asker=self._asker(thread), before=before, limit=MAX_PAGE
            )
            for message in reversed(page.messages):
                if former is not None and message.key == former.through:
                    return _settled(reversed(newest_first))
                newest_first.append(message)
            before = page.next_before
            if before is None:
                break
        return _settled(reversed(newest_first))

    def _asker(self, thread: ThreadKey) -> str:
        return thread.owner or self._agent.identity


def _settled(messages: Iterable[Message]) -> list[Message]:
    settled: list[Message] = []
    for message in messages:
        if message.awaits_answer:
            break
        settled.append(message)
    return settled


def _records(messages: Iterable[Message]) -> Iterator[str]:
    """The conversation, line by line, in pieces that fit into a request to the model."""
    lines: list[str] = []
    size = 0
    for message in messages:
        if message.finish_reason == "error":
            continue
        line = _line(message)
        if lines and size + len(line) > MAX_RECORD:
            yield "\n".join(lines)
            lines, size = [], 0
        lines.append(line)
        size += len(line) + 1
    if lines:
        yield "\n".join(lines)


def _line(message: Message) -> str:
    text = message.text
    if len(text) > MAX_EXCERPT:
        text = f"{text[:MAX_EXCERPT]} […]"
    files = "".join(f" [File: {each.name}]" for each in message.attachments)
    return labelled(author_label(message.sender_id, message.sender_name), text) + files
