"""RoomTopics: the topics of one room, from joining to leaving."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

from agent.data.topic import OpenTopic, Topic, TopicHandler, TopicRoom
from toolkit.tool import Tool


class RoomTopics:
    """Opens each topic in the room and registers its handler with the channel."""

    def __init__(
        self,
        room: TopicRoom,
        topics: Iterable[Topic[Any]],
        *,
        aliases: Mapping[str, Iterable[str]],
    ) -> None:
        """`aliases` are further names of topics, as settings have them."""
        self._topics = [OpenTopic(topic, room) for topic in topics]
        self._handlers: dict[str, TopicHandler[Any]] = {}
        for topic in self._topics:
            name = topic.topic.name
            for each in {name, *topic.topic.aliases, *aliases.get(name, ())}:
                room.channel.on(each, topic.take)

    def tools(self) -> list[Tool]:
        """Tools that the model and RPC callers have for the topics in this room."""
        tools: list[Tool] = []
        for topic in self._topics:
            for tool in topic.handler.tools():
                self._handlers[tool.name] = topic.handler
                tools.append(tool)
        return tools

    def is_in_use(self, tool: Tool) -> bool:
        """Whether the room uses the topic of a tool, or the tool is of none."""
        handler = self._handlers.get(tool.name)
        return handler is None or handler.in_use

    def methods(self) -> list[Tool]:
        """Tools for callers by RPC only."""
        return list(chain.from_iterable(topic.handler.methods() for topic in self._topics))

    def forget(self, identity: str) -> None:
        """Somebody has left."""
        for topic in self._topics:
            topic.forget(identity)

    async def erase(self, identity: str | None) -> None:
        """Erases a participant's packets (None: everybody's) from memory; the stores follow."""
        for topic in self._topics:
            await topic.handler.erase(identity)

    async def aclose(self) -> None:
        """The agent leaves."""
        await asyncio.gather(*(topic.aclose() for topic in self._topics))
