"""StreamIds: the ids of an answer's text streams, and who gets which.

components-js takes a message's id from the newest stream of its `lk.segment_id` (useTextStream,
useSessionMessages): another id is another message there, which mounts again at the end of the list.
The Swift and Flutter SDKs do the opposite: they append a stream that has the id of the segment's
former one (TranscriptionStreamReceiver). Docs: docs/adr/0033-one-answer-one-stream-id.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from livekit import rtc

from agent.wire.client_protocols import ClientProtocols

TRANSCRIPTION_TOPIC: Final = "lk.transcription"
"""The topic that LiveKit's components show."""


@dataclass(frozen=True, slots=True)
class Address:
    """One stream of an answer: its id, and the participants that get it, or nobody: the room.

    Without an id, the SDK makes one up.
    """

    stream_id: str | None
    to: tuple[str, ...] = ()


def stream_id(segment_id: str, topic: str) -> str:
    """The id of an answer's streams on one topic.

    SDKs find a stream by its id alone, and the streams on an answer's topics are open at once, so
    that each topic needs its own. On the topic that LiveKit's components show it is the answer's
    id: messages have the id there that RPC methods take.
    """
    return segment_id if topic == TRANSCRIPTION_TOPIC else f"{segment_id}:{topic}"


class StreamIds:
    """Chooses the ids of the streams in which an answer is given again.

    Args:
        is_taken: whether somebody else has a stream with this id open.
    """

    def __init__(
        self, room: rtc.Room, protocols: ClientProtocols, is_taken: Callable[[str], bool]
    ) -> None:
        self._room = room
        self._protocols = protocols
        self._is_taken = is_taken

    async def of_renewed(self, segment_id: str, topic: str) -> tuple[Address, ...]:
        """One stream where all clients are of one kind, else two: the former stream's id for those
        that replace, a new one for those that append, or whose kind is not known."""
        former = stream_id(segment_id, topic)
        if self._is_taken(former):
            return (Address(None),)
        everybody = set(self._room.remote_participants)
        replacing = everybody & await self._protocols.all_who_read_headers()
        if replacing == everybody:
            return (Address(former),)
        if not replacing:
            return (Address(None),)
        return (
            Address(former, tuple(sorted(replacing))),
            Address(None, tuple(sorted(everybody - replacing))),
        )
