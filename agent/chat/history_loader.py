"""HistoryLoader: restores earlier turns from the history, and summarises long conversations."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from agent.chat.context import Context
from agent.chat.conversation_store import ConversationStore
from agent.chat.question import StoredAnswer
from agent.chat.question_queue import QuestionQueue
from agent.tasks import Tasks


class HistoryLoader:
    """Restores a conversation's earlier turns, and summarises those that no longer fit the context.

    Attributes:
        untold: stored answers that a worker died before sending to the end; they are sent again.
        ready: set after the first request; if the store is unavailable, the turns come later.
    """

    def __init__(self, store: ConversationStore, context: Context, waiting: QuestionQueue) -> None:
        self._store = store
        self._context = context
        self._waiting = waiting
        self._tasks = Tasks()
        self._recalling: asyncio.Task[None] | None = None
        self._summarising: asyncio.Task[None] | None = None
        self.untold: list[StoredAnswer] = []
        self.ready = asyncio.Event()
        self.on_agent: Callable[[str], None] | None = None
        """Called with the agent of the app that answered last."""
        self.is_new: bool | None = None
        """Whether the history is empty; None: not known."""

    @property
    def is_due(self) -> bool:
        """Whether a failed recall can be retried now."""
        return self._recalling is not None and self._recalling.done()

    async def recall(self) -> None:
        """Restores earlier turns from the history; unanswered questions are queued first.

        If the store is unavailable, the conversation is woken once it is back.
        """
        past = await self._store.recall(self._context.limits.restored)
        if past is None:
            self._recalling = self._tasks.start(self._store.recallable(), name="recall")
            self._recalling.add_done_callback(lambda _: self._waiting.wake())
        else:
            self._recalling = None
            self.is_new = not past.turns and not past.questions and past.is_whole
            if past.agent is not None and self.on_agent is not None:
                self.on_agent(past.agent)
            self._waiting.add_older(past.questions)
            self.untold += past.untold
            self._context.restore(past.turns, is_whole=past.is_whole, summary=past.summary)
        self.ready.set()
        self.summarise()

    def summarise(self) -> None:
        """Starts a summary in the background, if one is due."""
        if not self._context.wants_summary:
            return
        if self._summarising is None or self._summarising.done():
            self._context.summarising()
            self._summarising = self._tasks.start(self._summarise(), name="summarise")

    async def aclose(self) -> None:
        self.ready.set()
        await self._tasks.aclose()

    async def _summarise(self) -> None:
        summary = await self._store.summarise()
        if summary is not None:
            self._context.summarise(summary)
