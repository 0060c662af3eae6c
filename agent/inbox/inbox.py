"""Inbox: every form in which people write to the agent becomes one IncomingMessage, once."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from livekit import rtc
from livekit.rtc.data_stream import StreamError

from agent.config.settings import Settings
from agent.history.message import MAX_ID_LENGTH
from agent.inbox.arrival_order import ArrivalOrder, ArrivalSlot
from agent.inbox.incoming_streams import ContestedError, RoomStreams, TextStream
from agent.inbox.message import Form, IncomingMessage, id_was_used
from agent.inbox.people import People
from agent.sdk.stream_record import NotKeptError
from agent.wire.attributes import ACK, PRIVATE, SCOPE, STORED
from agent.wire.notices import Notices
from agent.wire.refusal import Refusal

logger = logging.getLogger(__name__)

MAX_SEEN = 10_000
"""Message ids that are remembered for a room, so that no message is answered twice."""

PATIENCE = 0.5
"""Seconds that a message waits for those that its sender began earlier."""


ATTACHMENTS = "attachments"
"""Attribute of a text stream: ids of byte streams, separated by commas. Not every SDK can set the
header's own `attached_stream_ids`."""

GIVEN_UP = ("stream closed abnormally", "Disconnected while receiving")
"""Prefixes of errors of streams that their sender aborted or left: there is nobody to send a
refusal to (livekit rust-sdks, livekit-data-stream/src/utils.rs; rtc SDK, data_stream.py)."""

Complete = Callable[[IncomingMessage, Sequence[str]], Awaitable[IncomingMessage]]
"""Completes a message: whether it replies to the agent, and its files, by the ids of their streams,
once they have arrived. May raise Refusal."""


@dataclass(frozen=True, slots=True)
class InboxLimits:
    """Limits of messages.

    Attributes:
        message_bytes: of UTF-8 in one message.
        open_messages: messages of one participant that are being read at a time.
        silence: seconds without a chunk after which a stream is given up.
    """

    message_bytes: int
    open_messages: int
    silence: float

    @classmethod
    def of(cls, settings: Settings) -> InboxLimits:
        return cls(
            message_bytes=settings.max_message_bytes,
            open_messages=settings.max_pending_messages,
            silence=settings.stream_timeout,
        )


class Inbox:
    """Reads text streams on the chat topics, and takes chat packets, from everybody but agents.

    Messages that are malformed, too large or too many are refused: only their sender gets a notice.
    Every message is delivered once, in however many forms it came (useChat sends a stream and a
    packet); a message is identified by its sender and its id.
    """

    def __init__(  # noqa: PLR0913 - where messages come from, and where they go
        self,
        streams: RoomStreams,
        *,
        people: People,
        topics: tuple[str, ...],
        limits: InboxLimits,
        notices: Notices,
        complete: Complete,
        deliver: Callable[[IncomingMessage], None],
        repeat: Callable[[IncomingMessage], None],
    ) -> None:
        """`repeat` is called instead of `deliver` for a message that its sender sent again with a
        request for acknowledgement."""
        self._streams = streams
        self._people = people
        self._topics = topics
        self._limits = limits
        self._notices = notices
        self._complete = complete
        self._deliver = deliver
        self._repeat = repeat
        self._seen: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._order = ArrivalOrder(PATIENCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Registers the handlers; call it before connecting, since streams without one are lost."""
        for topic in self._topics:
            self._streams.on_text(topic, self._on_stream, max_kept=self._limits.message_bytes)

    async def aclose(self) -> None:
        """Stops listening and gives up the streams that are being read."""
        for topic in self._topics:
            self._streams.off_text(topic)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def take(self, message: IncomingMessage, attached_streams: Sequence[str] = ()) -> None:
        """Takes a message that arrived in one packet, with its files. Raises Refusal."""
        sender = message.sender.identity
        if attached_streams or message.reply_to or self._order.waiting(sender):
            self._start(sender, lambda turn: self._take_in_turn(message, attached_streams, turn))
        else:
            self._accept(message)

    def _on_stream(self, stream: TextStream, identity: str) -> None:
        try:
            self._start(identity, lambda turn: self._read(stream, identity, turn))
        except Refusal as refusal:
            stream.close()
            self._notices.refuse(identity, refusal, stream.info.stream_id[:MAX_ID_LENGTH])

    def _start(
        self, identity: str, work: Callable[[ArrivalSlot], Coroutine[Any, Any, None]]
    ) -> None:
        """Runs slow work for one message, with a limit on those of one sender."""
        if self._order.waiting(identity) >= self._limits.open_messages:
            raise Refusal(429, "Too many messages at once.", retry_after=1.0)
        turn = self._order.enter(identity)
        task = asyncio.create_task(work(turn), name="incoming message")
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._done(task, identity, turn))

    def _done(self, task: asyncio.Task[None], identity: str, turn: ArrivalSlot) -> None:
        self._tasks.discard(task)
        self._order.leave(identity, turn)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("reading an incoming message failed", exc_info=error)

    async def _take_in_turn(
        self, message: IncomingMessage, attached_streams: Sequence[str], turn: ArrivalSlot
    ) -> None:
        """A message with more than its text, or behind others of its sender's."""
        sender = message.sender.identity
        await self._order.forerunners(sender, turn)
        try:
            await self._accept_completed(message, attached_streams)
        except Refusal as refusal:
            self._notices.refuse(sender, refusal, message.id)

    async def _read(self, stream: TextStream, identity: str, turn: ArrivalSlot) -> None:
        info = stream.info
        try:
            try:
                text = await self._read_text(stream)
            except (ContestedError, Refusal):
                if not stream.is_contested:
                    raise
                text = await self._read_own_text(stream)
            sender = await self._people.find(identity)
            await self._order.forerunners(identity, turn)
            attributes = info.attributes or {}
            message = IncomingMessage(
                id=info.stream_id,
                sender=sender,
                text=text,
                timestamp=info.timestamp or int(time.time() * 1000),
                form=Form.STREAM,
                private=attributes.get(SCOPE) == PRIVATE,
                reply_to=_id(attributes.get("in_reply_to")),
                wants_ack=attributes.get(ACK) == STORED,
            )
            await self._accept_completed(message, _attached_streams(info))
        except Refusal as refusal:
            self._notices.refuse(identity, refusal, info.stream_id[:MAX_ID_LENGTH])
        except StreamError as error:
            logger.info("incoming stream ended early and is refused: %s", error)
            if not str(error).startswith(GIVEN_UP):
                refusal = Refusal(
                    400, "The message arrived incomplete, or not with its declared size."
                )
                self._notices.refuse(identity, refusal, info.stream_id[:MAX_ID_LENGTH])
        finally:
            stream.close()

    async def _read_text(self, stream: TextStream) -> str:
        parts: list[str] = []
        size = 0
        while True:
            try:
                async with asyncio.timeout(self._limits.silence):
                    part = await anext(stream)
            except StopAsyncIteration:
                return "".join(parts)
            except TimeoutError:
                raise self._unfinished() from None
            parts.append(part)
            size += len(part.encode())
            if size > self._limits.message_bytes:
                raise self._too_large()

    async def _read_own_text(self, stream: TextStream) -> str:
        """The text of a stream that others wrote into, without theirs."""
        try:
            content = await stream.content(self._limits.silence)
            return content.decode()
        except TimeoutError:
            raise self._unfinished() from None
        except NotKeptError:
            raise self._too_large() from None
        except UnicodeDecodeError:
            raise Refusal(400, "The message is not valid UTF-8.") from None

    async def _accept_completed(self, message: IncomingMessage, stream_ids: Sequence[str]) -> None:
        """Accepts a message once its files are there; raises Refusal."""
        if not message.sender.is_agent:
            self._accept(await self._complete(message, stream_ids))

    def _accept(self, message: IncomingMessage) -> None:
        """Delivers a message that has not been seen before; raises Refusal.

        A repetition is a message that came again with the same text: the copy of another form, or a
        client's second attempt. Another text under a used id is no repetition, and would be lost.
        """
        if message.sender.is_agent:
            return
        if not message.text.strip() and not message.attachments:
            raise Refusal(400, "The message is empty.")
        if len(message.text.encode(errors="replace")) > self._limits.message_bytes:
            raise self._too_large()
        key = (message.sender.identity, message.id)
        content = hash((message.text, message.private))
        if key in self._seen:
            if self._seen[key] != content:
                raise id_was_used()
            if message.wants_ack:
                self._repeat(message)
            return
        self._deliver(message)
        # Only now: a message that was refused may be sent again under its id.
        self._seen[key] = content
        if len(self._seen) > MAX_SEEN:
            self._seen.popitem(last=False)

    def _unfinished(self) -> Refusal:
        seconds = f"{self._limits.silence:g}"
        return Refusal(408, f"The message was not finished: nothing came for {seconds} s.")

    def _too_large(self) -> Refusal:
        return Refusal(413, f"A message may have {self._limits.message_bytes} bytes.")


def _attached_streams(info: rtc.TextStreamInfo) -> list[str]:
    named = (info.attributes or {}).get(ATTACHMENTS, "").split(",")
    return [each for each in (*info.attachments, *(name.strip() for name in named)) if each]


def _id(value: str | None) -> str | None:
    return value if value and len(value) <= MAX_ID_LENGTH else None
