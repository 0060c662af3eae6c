"""HistoryLoader: restores earlier turns from the history, and has long ones summarised."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from agent.chat.context import Context
from agent.chat.conversation_store import ConversationStore
from agent.chat.question import StoredAnswer
from agent.chat.question_queue import QuestionQueue
from agent.tasks import Tasks


class HistoryLoader:
    """Gets a conversation's past back, and has summarised what becomes too long for the model.

    Attributes:
        untold: answers to be sent again, which a worker that died did not tell to the end.
        ready: set once the past was asked for; it comes later if the store is away.
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
        """Told which agent of the app answered last in former times."""
        self.is_new: bool | None = None
        """Whether nothing was said in former times; None: not known."""

    @property
    def is_due(self) -> bool:
        """Whether the past that could not be had before can be asked for now."""
        return self._recalling is not None and self._recalling.done()

    async def recall(self) -> None:
        """Gets back what was said in former times; what was left unanswered comes first now.

        If the store is away, whoever waits for the next question is woken when it is back.
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
        """Has a summary made, if it is time for one; nobody waits for it."""
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
