"""RealtimeTurns: messages, written and spoken, for a session with a realtime model."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any, Final, Literal

from livekit.agents import Agent, AgentSession, llm
from livekit.agents.voice import SpeechHandle

from agent.chat.user_message import message_id_of
from agent.models.offered_tools import OfferedTools
from agent.sdk.room_realtime import USER_ITEM_ADDED, add_message, realtime_session

SOUND_WITHIN: Final = 2.0
"""Seconds in which a service shows the sound of a turn in its context."""


class RealtimeTurns:
    """Passes messages to a realtime model and returns its answers.

    Its session keeps its context at the service, and hears what people say. While a spoken turn is
    answered, its sound is in that context, and its words before and after: sound has no author, and
    can be neither edited nor stored.
    """

    def __init__(self, tools: OfferedTools) -> None:
        self._tools = tools
        self._described: Collection[str] = ()
        self._spoken_last: str | None = None
        self._spoken = 0

    def heard(self, message_id: str | None) -> None:
        """A spoken turn has ended, and become this message; None: it had no words."""
        self._spoken_last = message_id
        self._spoken += 1

    async def sound_of(self, agent: Agent, message: llm.ChatMessage) -> llm.ChatMessage | None:
        """The message as the service heard it, with the service's id; None: it gets the words.

        That is, where it was written, or another was spoken or answered since: the sound of turns
        that wait for one another would be in each other's contexts, and is taken out.
        """
        last, self._spoken_last = self._spoken_last, None
        spoken, self._spoken = self._spoken, 0
        service = realtime_session(agent)
        if service is None or not spoken:
            return None
        # All of them, as what has not come yet cannot be taken out.
        item = await _committed(service, {each.id for each in agent.chat_ctx.items}, spoken)
        if item is None or last is None or last != message_id_of(message):
            return None
        if item.content:
            return item
        # Next to no text, a service keeps the sound; an agent handed over to has the words.
        return item.model_copy(update={"content": list(message.content)})

    async def describe(self, agent: Agent, instructions: str | None) -> None:
        """Tells the service which tools there are now: it asks for none by itself; and what an
        agent's instructions have become, if they are given."""
        if instructions not in {None, agent.instructions}:
            await agent.update_instructions(str(instructions))
        names = frozenset(self._tools.names)
        if names != self._described and realtime_session(agent) is not None:
            self._described = names
            await agent.update_tools(agent.tools)

    async def ask(
        self,
        session: AgentSession[Any],
        context: llm.ChatContext,
        message: llm.ChatMessage,
        modality: Literal["audio", "text"],
        sound: llm.ChatMessage | None,
    ) -> SpeechHandle:
        """Begins to answer a message; `context` is what comes before it.

        Raises:
            llm.RealtimeError: the service does not take it.
        """
        agent = session.current_agent
        items = [*context.items, message if sound is None else sound]
        if [each.id for each in items] != [each.id for each in agent.chat_ctx.items]:
            await agent.update_chat_ctx(
                llm.ChatContext(items), exclude_invalid_function_calls=False
            )
        add_message(session, message)
        return session.generate_reply(input_modality=modality)


def take_out(sound: llm.ChatMessage | None, context: llm.ChatContext) -> set[str]:
    """Leaves in a context what comes before a message; returns the ids of that."""
    if sound is not None:
        context.items[:] = [item for item in context.items if item.id != sound.id]
    return {item.id for item in context.items}


async def _committed(
    service: llm.RealtimeSession[Any], known: Collection[str], number: int
) -> llm.ChatMessage | None:
    """The newest message of a user's that only the service knows, once there are so many."""
    added = asyncio.Event()
    service.on(USER_ITEM_ADDED, added.set)
    try:
        async with asyncio.timeout(SOUND_WITHIN):
            while len(items := _unknown(service.chat_ctx, known)) < number:
                added.clear()
                await added.wait()
            return items[-1]
    except TimeoutError:
        return None
    finally:
        service.off(USER_ITEM_ADDED, added.set)


def _unknown(context: llm.ChatContext, known: Collection[str]) -> list[llm.ChatMessage]:
    messages = (item for item in context.items if isinstance(item, llm.ChatMessage))
    return [item for item in messages if item.role == "user" and item.id not in known]
