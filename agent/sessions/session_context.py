"""SessionContext: keeps the contexts of a session's agents in line with the conversation."""

from __future__ import annotations

import weakref
from collections.abc import Collection, Iterable, Sequence

from livekit.agents import Agent, llm

from agent.chat.item_times import end_by_now
from agent.chat.user_message import without_message
from agent.sdk.room_realtime import realtime_session


class SessionContext:
    """A session's agents keep contexts of their own: they pass them on, or start empty, and add
    items. Other changes of the conversation are applied to them: messages that were for others, and
    those that were edited, deleted, or exceed the limits.
    """

    def __init__(self) -> None:
        self._known: dict[str, object] = {}
        """The conversation's items that the session has: contents by id."""
        self._agents: weakref.WeakSet[Agent] = weakref.WeakSet()
        self._passing: set[str] = set()
        """Ids of items that stand in a context for one answer."""

    def meet(self, agent: Agent) -> None:
        """Adds an agent that answers from now on."""
        self._agents.add(agent)

    def know(self, items: Iterable[llm.ChatItem]) -> None:
        """Notes that the session has these items already."""
        self._known.update((item.id, _content(item)) for item in items)

    def pass_by(self, ids: Iterable[str]) -> None:
        """These go when the conversation is brought the next time."""
        self._passing.update(ids)

    async def forget(self, ids: Collection[str], history: llm.ChatContext) -> None:
        """Removes items from all agents' contexts, and from the session's history."""
        history.items[:] = [item for item in history.items if item.id not in ids]
        for agent in list(self._agents):
            kept = [item for item in agent.chat_ctx.items if item.id not in ids]
            if len(kept) < len(agent.chat_ctx.items):
                await _replace(agent, kept)

    async def bring(
        self,
        agent: Agent,
        items: Sequence[llm.ChatItem],
        history: llm.ChatContext,
        *,
        sound: llm.ChatMessage | None = None,
    ) -> None:
        """Brings the conversation, as it is now, to the agent that answers; what is gone from it is
        gone from all of them, and from the session's history.

        `sound`: stands at the end until the next time, when the conversation has its words.
        """
        if gone := self._known.keys() - {item.id for item in items}:
            await self.forget(gone, history)
            for each in gone:
                del self._known[each]
        former, self._passing = self._passing, set[str]()
        before = agent.chat_ctx.items
        own = [item for item in before if item.id not in former]
        has = {item.id: item for item in own}
        given: list[llm.ChatItem] = []
        for item in items:
            is_known = item.id in self._known
            if is_known and self._known[item.id] == _content(item):
                # Agents may have changed it, or left it out.
                if item.id in has:
                    given.append(has[item.id])
            elif item.id in has or not is_known:
                given.append(given_form(item))
        self.know(items)
        merged = _merged(own, given)
        if sound is not None:
            merged.append(sound)
            self.pass_by([sound.id])
        end_by_now((*merged, *history.items))
        # A service may have what its agent does not know of: speech that nobody answered.
        if list(map(id, merged)) != list(map(id, before)) or realtime_session(agent) is not None:
            await _replace(agent, merged)


async def _replace(agent: Agent, items: list[llm.ChatItem]) -> None:
    # Calls of tools that the agent no longer has were still made.
    await agent.update_chat_ctx(llm.ChatContext(items), exclude_invalid_function_calls=False)


def _content(item: llm.ChatItem) -> object:
    return item.content if isinstance(item, llm.ChatMessage) else None


def given_form(item: llm.ChatItem) -> llm.ChatItem:
    """A message as the session's agents get it, without the conversation's own data."""
    if not isinstance(item, llm.ChatMessage) or not item.extra:
        return item
    return item.model_copy(update={"extra": without_message(item.extra)})


def _merged(own: Sequence[llm.ChatItem], given: Sequence[llm.ChatItem]) -> list[llm.ChatItem]:
    """The given items in their order; the agent's other items stay behind those that they
    followed."""
    order = {item.id for item in given}
    first: list[llm.ChatItem] = []
    behind: dict[str, list[llm.ChatItem]] = {}
    place = first
    for item in own:
        if item.id in order:
            place = behind.setdefault(item.id, [])
        else:
            place.append(item)
    merged = first
    for item in given:
        merged.append(item)
        merged += behind.get(item.id, [])
    return merged
