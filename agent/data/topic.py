"""Topic: a kind of data packet, and its handler. docs/data.md."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from agent.data.rate import Rate, RateCounter
from agent.wire.refusal import Refusal
from toolkit.parameters import explain

if TYPE_CHECKING:
    from agent.data.data_channel import DataChannel
    from agent.data.packet import Packet
    from agent.history.history import History
    from agent.inbox.message import IncomingMessage
    from agent.wire.notices import Notices
    from toolkit.caller import Caller
    from toolkit.permission import Permission
    from toolkit.tool import Tool

Content = TypeVar("Content", bound=BaseModel)

MAX_SENTENCE: Final = 500
"""Characters of the description of an error in a packet."""

TELL_EVERY: Final = 10.0
"""Seconds between two notices to a sender whose lossy packets are thinned out."""


@dataclass(frozen=True, slots=True)
class TopicRoom:
    """The parts of its room that a handler may use.

    Attributes:
        conversation: its name in the history.
        channel: sends packets.
        notices: sends `system` packets to one participant or to everybody.
        history: the stored messages.
        take_message: accepts a chat message, and the ids of the byte streams of its files; raises
            Refusal.
        settled: returns once all messages so far are stored, as far as the store accepts them.
        tell_model: adds a note that the model reads with the next message of a conversation, the
            room's (None) or a participant's private one.
        find_caller: the participant of an identity, with their role.
        may_clear: whether somebody may clear the whiteboard.
    """

    conversation: str
    channel: DataChannel
    notices: Notices
    history: History
    take_message: Callable[[IncomingMessage, Sequence[str]], None]
    settled: Callable[[], Awaitable[None]]
    tell_model: Callable[[str | None, str], None]
    find_caller: Callable[[str], Awaitable[Caller]]
    may_clear: Permission


class TopicHandler(ABC, Generic[Content]):
    """One topic in one room: it is made when the agent joins, and ended when it leaves."""

    def __init__(self, room: TopicRoom) -> None:
        self.room = room

    @abstractmethod
    def take(self, packet: Packet[Content]) -> Awaitable[None] | None:
        """Takes a packet; may be async. Raises Refusal to send the sender an error."""

    def tools(self) -> Iterable[Tool]:
        """Tools for the model, and for callers by RPC, in this room."""
        return ()

    @property
    def in_use(self) -> bool:
        """Whether the room uses it, so that the model is offered its tools."""
        return True

    def methods(self) -> Iterable[Tool]:
        """Tools for callers by RPC only."""
        return ()

    def forget(self, identity: str) -> None:
        """Somebody has left."""

    async def erase(self, identity: str | None) -> None:
        """Erases a participant's packets (None: everybody's) from memory; the stores follow."""

    async def aclose(self) -> None:
        """The agent leaves."""


@dataclass(frozen=True, slots=True)
class Topic(Generic[Content]):
    """A topic, for all rooms.

    Attributes:
        name: its name on the wire: `type` or `topic` in a packet's JSON, or the packet topic.
        content: the Pydantic model of a packet's content.
        handler: handles its packets in one room.
        reliable: how clients send it. On a lossy topic only the newest packet of a sender counts:
            packets above the rate are dropped. On a reliable topic they are refused.
        sent_by: `agent` if only the agent sends it.
        rate: the rate limit of one sender.
        aliases: its other names.
    """

    name: str
    content: type[Content]
    handler: Callable[[TopicRoom], TopicHandler[Content]]
    reliable: bool = True
    sent_by: Literal["people", "agent"] = "people"
    rate: Rate = field(default=Rate(per_second=50, burst=200))
    aliases: tuple[str, ...] = ()


class OpenTopic(Generic[Content]):
    """A topic in a room: its senders, rate and content, and then its handler."""

    def __init__(self, topic: Topic[Content], room: TopicRoom) -> None:
        self.topic = topic
        self.handler = topic.handler(room)
        self._channel = room.channel
        self._notices = room.notices
        self._content = TypeAdapter(topic.content)
        self._rate = RateCounter(topic.rate)
        self._told = RateCounter(Rate(per_second=1 / TELL_EVERY, burst=1))
        self._newest: dict[str, tuple[Packet[Any], asyncio.TimerHandle]] = {}

    def take(self, packet: Packet[Any]) -> Awaitable[object] | object:
        """A handler of the DataChannel's. Raises Refusal."""
        if self.topic.sent_by == "agent":
            raise Refusal(403, f"Only the agent sends {self.topic.name!r}.")
        identity = packet.sender.identity
        if identity in self._newest:
            # Not taken before the one that waits, even if it could be by now: that one is older.
            self._newest[identity] = (packet, self._newest[identity][1])
            return None
        wait = self._rate.take(identity)
        if not wait:
            return self._take(packet)
        if self.topic.reliable:
            seconds = max(round(wait, 1), 0.1)
            raise Refusal(429, f"Too many {self.topic.name!r} packets.", retry_after=seconds)
        self._keep_newest(packet, wait)
        return None

    def forget(self, identity: str) -> None:
        """Somebody has left."""
        self._rate.forget(identity)
        self._told.forget(identity)
        newest = self._newest.pop(identity, None)
        if newest is not None:
            newest[1].cancel()
        self.handler.forget(identity)

    async def aclose(self) -> None:
        for _, timer in self._newest.values():
            timer.cancel()
        await self.handler.aclose()

    def _take(self, packet: Packet[Any]) -> Awaitable[object] | object:
        try:
            # By way of JSON: strict, and arrays can be tuples.
            content = self._content.validate_json(json.dumps(packet.fields), strict=True)
        except ValidationError as error:
            wrong = explain(error.errors(include_url=False, include_input=False))
            sentence = "; ".join(f"{name}: {what}" for name, what in wrong.items())
            message = f"The {self.topic.name!r} packet is not valid: {sentence}"
            raise Refusal(400, message[:MAX_SENTENCE]) from None
        return self.handler.take(replace(packet, content=content))

    def _keep_newest(self, packet: Packet[Any], wait: float) -> None:
        identity = packet.sender.identity
        timer = asyncio.get_running_loop().call_later(wait, self._take_newest, identity)
        self._newest[identity] = (packet, timer)
        if not self._told.take(identity):
            most = f"{self.topic.rate.per_second:g} a second"
            sentence = f"Too many {self.topic.name!r} packets: all but {most} are left out."
            self._notices.refuse(identity, Refusal(429, sentence))

    def _take_newest(self, identity: str) -> None:
        packet, _ = self._newest.pop(identity)
        self._rate.take(identity)
        self._channel.deliver(packet, self._take)
