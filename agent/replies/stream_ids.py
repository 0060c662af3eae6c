"""StreamIds: the ids of an answer's text streams, and who gets which.

components-js takes a message's id from the newest stream of its `lk.segment_id` (useTextStream,
useSessionMessages): another id is another message there, which mounts again at the end of the list.
The Swift SDK does the opposite: it appends a stream that has the id of the segment's former one
(TranscriptionStreamReceiver). Docs: docs/adr/0033-one-answer-one-stream-id.md.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from livekit import rtc
from livekit.rtc import ParticipantState

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


MAX_REMEMBERED: Final = 256
"""Answers whose copies' receivers are remembered."""


class StreamIds:
    """Chooses the ids of the streams in which an answer is sent or repeated.

    Participants who joined in the middle of an answer have a copy with stream ids of its own: the
    answer's ids are in use at others, and the SDK sends the chunks of a copy to everybody. A
    repeated answer reaches these participants under the copy's ids.

    Args:
        is_taken: whether somebody else has a stream with this id open.
    """

    def __init__(
        self, room: rtc.Room, protocols: ClientProtocols, is_taken: Callable[[str], bool]
    ) -> None:
        self._room = room
        self._protocols = protocols
        self._is_taken = is_taken
        self._copies: OrderedDict[str, dict[str, str]] = OrderedDict()
        """By segment id and session: the copy's name, which stands for the segment's in its ids."""

    def of_copy(
        self, segment_id: str, topics: Collection[str], listeners: Collection[str]
    ) -> dict[str, str]:
        """The ids, by topic, of a copy for these identities."""
        copy = f"{segment_id}~{secrets.token_hex(4)}"
        holders = self._copies.setdefault(segment_id, {})
        self._copies.move_to_end(segment_id)
        if len(self._copies) > MAX_REMEMBERED:
            self._copies.popitem(last=False)
        for identity in listeners:
            if (participant := self._room.remote_participants.get(identity)) is not None:
                holders[participant.sid] = copy
        return {topic: stream_id(copy, topic) for topic in topics}

    async def of_renewed(self, segment_id: str, topic: str) -> tuple[Address, ...]:
        """One stream where one id suits everybody, else several: the id that they have seen for
        clients that replace, a new one for those that append, or whose kind is not known."""
        replacing = await self._protocols.all_who_read_headers()
        copies = self._copies.get(segment_id, {})
        groups: dict[str | None, list[str]] = {}
        for participant in list(self._room.remote_participants.values()):
            if participant.state != ParticipantState.PARTICIPANT_STATE_ACTIVE:
                continue  # Not ready for data: they get a copy once they are.
            known: str | None = None
            if participant.identity in replacing:
                known = stream_id(copies.get(participant.sid, segment_id), topic)
            if known is not None and self._is_taken(known):
                known = None
            groups.setdefault(known, []).append(participant.identity)
        if not groups:
            return (Address(stream_id(segment_id, topic)),)
        if len(groups) == 1 and not copies:
            return (Address(next(iter(groups))),)
        return tuple(Address(known, tuple(sorted(to))) for known, to in groups.items())
