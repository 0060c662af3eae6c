"""MicrophoneReader: passes the frames of one microphone to the floor."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from livekit import rtc

from agent.voice.floor import Floor
from agent.voice.microphone import FRAME_MS, RATE, Microphone
from agent.voice.overlap import Overlap

MAX_FRAMES_BEHIND = 300
"""Frames of one microphone (about 10 s) that a busy event loop may be late by, or that wait for the
recording of earlier speech."""

AT_A_TIME = 25
"""Frames of a recording after which other rooms have the loop: whether there is speech in one takes
a tenth of a millisecond."""

Recorded = Callable[[], Awaitable[Sequence[rtc.AudioFrame]]]
"""Returns the frames from before a track was subscribed to."""


class MicrophoneReader:
    """Reads one track until it is muted, unpublished or lost.

    Attributes:
        track: the one to read.
        is_muted: whether there is nothing to hear of it.
        awaits_recording: whether earlier speech is still to be heard, muted or not.
    """

    def __init__(
        self,
        floor: Floor,
        microphone: Microphone,
        track: rtc.Track,
        *,
        is_muted: bool,
        recorded: Recorded | None,
    ) -> None:
        """`recorded`: None where the client sends no recording."""
        self._floor = floor
        self._microphone = microphone
        self._recorded = recorded
        self._overlap = Overlap([])
        self._stream: rtc.AudioStream | None = None
        self.track = track
        self.is_muted = is_muted
        self.awaits_recording = recorded is not None

    async def run(self) -> None:
        """Reads; returns when the microphone is gone. It may be run again after a failure."""
        self._floor.add(self._microphone)
        try:
            if self._recorded is not None:
                self._open()
                await self._hear(self._recorded)
            self._open()
            if self._stream is not None and not self.is_muted:
                async for event in self._stream:
                    for frame in await self._overlap.new(event.frame):
                        self._floor.take(self._microphone, frame)
        finally:
            self._floor.remove(self._microphone)
            stream, self._stream = self._stream, None
            if stream is not None:
                await stream.aclose()

    async def _hear(self, recorded: Recorded) -> None:
        """Live speech waits in the stream meanwhile."""
        try:
            frames = await recorded()
            self._overlap = Overlap(frames)
            for number, frame in enumerate(frames, 1):
                self._floor.take(self._microphone, frame)
                if number % AT_A_TIME == 0:
                    await asyncio.sleep(0)
        finally:
            self._recorded, self.awaits_recording = None, False

    def _open(self) -> None:
        if self._stream is None and not self.is_muted:
            self._stream = rtc.AudioStream(
                self.track,
                capacity=MAX_FRAMES_BEHIND,
                sample_rate=RATE,
                num_channels=1,
                frame_size_ms=FRAME_MS,
            )
