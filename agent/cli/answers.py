"""The agent's answers, as they arrive in a room."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from livekit import rtc

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from agent.cli.room_client import RoomClient

MAX_WAITING: Final = 100


class NoAnswerError(Exception):
    """There is no answer, or not the whole of it; the message says why."""


@dataclass(frozen=True, slots=True)
class _Refused:
    """What the agent says about a message that it does not accept (a `system` packet)."""

    text: str
    message_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Gone:
    """There is nobody left to answer."""

    reason: str


class Answers:
    """Reads the agent's answers; one at a time, since a message is sent after the last answer."""

    def __init__(self, client: RoomClient, topic: str) -> None:
        self._agent = client.agent
        self._room = client.room
        self._arrived: asyncio.Queue[rtc.TextStreamReader | _Refused | _Gone] = asyncio.Queue(
            MAX_WAITING
        )
        room = client.room
        room.register_text_stream_handler(topic, self._on_stream)
        room.on("data_received", self._on_data)
        room.on("participant_disconnected", self._on_participant_disconnected)
        room.on("disconnected", self._on_disconnected)

    async def to(self, message_id: str, silence: float) -> AsyncGenerator[str]:
        """The answer to a message, in the pieces in which it comes.

        Args:
            message_id: the id of the stream that the message was.
            silence: seconds without a sign of life after which there is no answer.

        Raises:
            NoAnswerError: the agent refused, failed, left or was silent. What came before stands.
        """
        reader = await self._reader_of(message_id, silence)
        begun = False  # The stream is opened before there is text.
        try:
            while True:
                async with asyncio.timeout(silence):
                    delta = await anext(reader, None)
                if delta is None:
                    break
                begun = True
                yield delta
        except TimeoutError:
            what = "the answer stopped coming for" if begun else "no answer within"
            raise NoAnswerError(f"{what} {silence:g} s") from None
        except rtc.StreamError as error:
            raise NoAnswerError(f"the answer broke off: {error}") from error
        finally:
            reader.close()
        reason = (reader.info.attributes or {}).get("finish_reason")
        if reason is None:
            raise NoAnswerError("the answer broke off")
        if reason not in {"stop", "length"}:
            raise NoAnswerError(f"the agent could not answer in full (finish_reason {reason})")

    async def _reader_of(self, message_id: str, silence: float) -> rtc.TextStreamReader:
        while True:
            try:
                async with asyncio.timeout(silence):
                    arrived = await self._arrived.get()
            except TimeoutError:
                raise NoAnswerError(f"no answer within {silence:g} s") from None
            match arrived:
                case _Gone(reason):
                    raise NoAnswerError(reason)
                case _Refused(text, ids):
                    if not ids or message_id in ids:
                        raise NoAnswerError(text)
                case reader:
                    if self._answers_me(reader.info.attributes or {}, message_id):
                        return reader
                    reader.close()

    def _answers_me(self, attributes: Mapping[str, str], message_id: str) -> bool:
        """Whether it is the answer to a message of this client; others may use its id."""
        me = self._room.local_participant.identity
        return (
            attributes.get("in_reply_to") == message_id
            and attributes.get("in_reply_to_sender", me) == me
        )

    def _on_stream(self, reader: rtc.TextStreamReader, identity: str) -> None:
        if identity == self._agent:
            self._put(reader)

    def _on_data(self, packet: rtc.DataPacket) -> None:
        if packet.participant is None or packet.participant.identity != self._agent:
            return
        try:
            message = cast("object", json.loads(packet.data))
        except (ValueError, RecursionError):
            return
        if not isinstance(message, dict):
            return
        fields = cast("dict[str, object]", message)
        if fields.get("type") == "system" and fields.get("event") == "error":
            ids = fields.get("messageIds")
            known = tuple(map(str, cast("list[object]", ids))) if isinstance(ids, list) else ()
            self._put(_Refused(str(fields.get("content", "")), known))

    def _on_participant_disconnected(self, participant: rtc.RemoteParticipant) -> None:
        if participant.identity == self._agent:
            self._put(_Gone("the agent has left the room"))

    def _on_disconnected(self, *_: object) -> None:
        self._put(_Gone("the connection to the room is lost"))

    def _put(self, arrived: rtc.TextStreamReader | _Refused | _Gone) -> None:
        if self._arrived.full():
            # Answers to other people, in a room where nobody here has written for long.
            oldest = self._arrived.get_nowait()
            if isinstance(oldest, rtc.TextStreamReader):
                oldest.close()
        self._arrived.put_nowait(arrived)
