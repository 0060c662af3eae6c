"""RoomAssignment: the room to join, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from livekit import rtc
from livekit.rtc.room import DataStreamOptions

from agent.settings import Settings

STREAM_MARGIN: Final = 65_536
"""Bytes by which a stream may be over its bound before the SDK ends it: ours says why first."""


@dataclass(frozen=True, slots=True)
class RoomAssignment:
    """The room to join, and how: what a job says.

    Attributes:
        url: of the server, ws:// or wss://.
        token: to join with; never logged.
        metadata: of the dispatch, then of the room.
    """

    room: str
    url: str
    token: str
    dispatch_metadata: str = ""
    room_metadata: str = ""

    def __repr__(self) -> str:
        return f"RoomAssignment(room={self.room!r}, url={self.url!r})"

    def room_options(self, settings: Settings) -> rtc.RoomOptions:
        """To join without media, and with a bound for streams that people send.

        The SDK unpacks compressed streams: a small one may be a large file.
        """
        longest = max(settings.max_file_bytes, settings.max_message_bytes)
        bound = DataStreamOptions(max_payload_byte_length=longest + STREAM_MARGIN)
        return rtc.RoomOptions(auto_subscribe=False, data_stream=bound)
