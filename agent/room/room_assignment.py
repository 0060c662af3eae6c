"""RoomAssignment: the room to join, and how."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Final, Self

from livekit import rtc
from livekit.agents import JobContext
from livekit.rtc.room import DataStreamOptions

from agent.config.settings import Settings
from agent.sdk.job_token import join_token
from agent.sdk.room_job import Employment

logger = logging.getLogger(__name__)

STREAM_MARGIN: Final = 65_536
"""Bytes by which a stream may exceed its bound before the SDK ends it: our refusal, with its
reason, comes first."""

SID_TAKES: Final = 5.0
"""Seconds after which a room that has not reported its id is taken for the right one."""


@dataclass(frozen=True, slots=True)
class RoomAssignment:
    """The room to join, and how, from a job.

    Attributes:
        sid: the room's id, which another room of its name does not have; empty: any will do.
        url: of the server, ws:// or wss://.
        token: to join with; never logged.
        metadata: of the dispatch, then of the room.
        employment: the job itself, for the code of livekit Agents; None: nobody has been sent.
    """

    room: str
    url: str
    token: str
    dispatch_metadata: str = ""
    room_metadata: str = ""
    sid: str = ""
    employment: Employment | None = None

    @classmethod
    def of(cls, job: JobContext, url: str) -> Self:
        """The room of a job, on whose loop it is called. AgentServer.run puts the server's URL into
        the environment."""
        return cls(
            room=job.job.room.name,
            url=url,
            token=join_token(job),
            dispatch_metadata=job.job.metadata,
            room_metadata=job.job.room.metadata,
            sid=job.job.room.sid,
            employment=Employment(job, asyncio.get_running_loop()),
        )

    def __repr__(self) -> str:
        return f"RoomAssignment(room={self.room!r}, url={self.url!r})"

    async def is_lost(self, room: rtc.Room, by_session: bool) -> bool:
        """Whether somebody closed the room while it was being joined.

        Joining it then made another room of its name, where the agent would be alone for as long as
        the server keeps a room that nobody has come to (`empty_timeout`, 5 minutes).

        Args:
            by_session: the conversation is that of the assigned session, so that people in another
                one are no reason to stay: their room has a dispatch of its own.
        """
        if not self.sid or (room.remote_participants and not by_session):
            # With others in the room, it does not wait: a server may be slow to send the id.
            return False
        try:
            async with asyncio.timeout(SID_TAKES):
                sid = await room.sid
        except TimeoutError:
            return False
        if sid == self.sid or (room.remote_participants and not by_session):
            return False
        logger.info("room no longer exists, leaving", extra={"room": self.room})
        return True

    def room_options(self, settings: Settings) -> rtc.RoomOptions:
        """The options to join without media, and with a bound for streams that people send.

        The SDK unpacks compressed streams: a small one may be a large file.
        """
        longest = max(settings.max_file_bytes, settings.max_message_bytes)
        bound = DataStreamOptions(max_payload_byte_length=longest + STREAM_MARGIN)
        return rtc.RoomOptions(auto_subscribe=False, data_stream=bound)
