"""A spoken answer as transcription packets, for clients that read no streams."""

from __future__ import annotations

from livekit import rtc

from agent.replies.reply_output import Ending, ReplyOutput
from agent.wire import legacy_transcription
from agent.wire.envelope import split_text

WINDOW = 0.2
"""Seconds between two packets: each has the whole segment, and goes to everybody."""


class TranscriptionOutput(ReplyOutput):
    """Segments that grow with the answer; see agent/wire/legacy_transcription.py.

    The last packet of a segment is final. If the answer was interrupted while it was spoken, that
    packet has the text spoken so far.
    """

    window = WINDOW

    def __init__(self, room: rtc.Room, segment_id: str, track_sid: str) -> None:
        super().__init__("transcription packets")
        self._room = room
        self._segment_id = segment_id
        self._track_sid = track_sid
        self._number = 0
        self._text = ""

    async def write(self, text: str) -> None:
        *complete, self._text = split_text(self._text + text, legacy_transcription.MAX_TEXT_BYTES)
        for part in complete:
            await self._send(part, is_final=True)
            self._number += 1
        await self._send(self._text, is_final=False)

    async def close(self, ending: Ending) -> None:
        text = self._text
        if ending.heard is not None:
            heard = split_text(ending.heard, legacy_transcription.MAX_TEXT_BYTES)
            # Segments that are complete have been sent and stay as they are.
            text = heard[self._number] if self._number < len(heard) else ""
        await self._send(text, is_final=True)

    async def _send(self, text: str, *, is_final: bool) -> None:
        segment = legacy_transcription.segment(
            self._segment_id, self._number, text, is_final=is_final
        )
        me = self._room.local_participant.identity
        await legacy_transcription.publish(self._room, me, self._track_sid, [segment])
