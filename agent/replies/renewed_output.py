"""An answer to the room that is given again: after `regenerate`, an edit, or a crash."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from livekit import rtc

from agent.replies.reply_output import Ending, ReplyOutput
from agent.replies.stream_ids import Address
from agent.replies.topic_output import trailer
from agent.sdk.outgoing import OutgoingText
from agent.sdk.sending import open_text


class RenewedOutput(ReplyOutput):
    """The text streams of one topic: one, or two where the room's clients need different ids.

    Attributes:
        addressed: identities that alone get the answer; empty: everybody does.
    """

    def __init__(
        self,
        room: rtc.Room,
        topic: str,
        attributes: Mapping[str, str],
        addresses: Callable[[], Awaitable[tuple[Address, ...]]],
        *,
        window: float = 0.0,
    ) -> None:
        super().__init__(topic)
        self.window = window
        self.addressed = frozenset[str]()
        self._room = room
        self._topic = topic
        self._attributes = attributes
        self._addresses = addresses
        self._streams: list[OutgoingText] = []

    async def prepare(self) -> None:
        addresses = await self._addresses()
        self.addressed = frozenset(each for address in addresses for each in address.to)
        self._streams = [
            open_text(
                self._room, self._topic, self._attributes, address.to, stream_id=address.stream_id
            )
            for address in addresses
        ]

    async def ready(self) -> None:
        if not self._streams:
            await self.prepare()
        for stream in self._streams:
            await stream.opened()

    async def write(self, text: str) -> None:
        for written in [stream.begin_write(text) for stream in self._streams]:
            await written.settled()

    async def close(self, ending: Ending) -> None:
        attributes = trailer(ending)
        for closed in [stream.begin_close(attributes) for stream in self._streams]:
            await closed.settled()
