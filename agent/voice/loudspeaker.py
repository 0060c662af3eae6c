"""Loudspeaker: the agent's audio track, and its playback."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator

from livekit import rtc
from livekit.agents.voice.io import AudioOutput, AudioOutputCapabilities

from agent.tasks import Tasks

logger = logging.getLogger(__name__)

RATE = 24_000
QUEUE_MS = 200
"""Audio that is queued ahead of playback: a busy event loop may be late by that much."""
PIECE_SAMPLES = RATE // 20
HEARD_WITHIN = 2.0
"""Seconds that the first words wait for somebody to subscribe to the track."""
UNPUBLISH_TIMEOUT = 5.0


class Loudspeaker:
    """The agent's published track, for as long as its room speaks."""

    def __init__(self, room: rtc.Room) -> None:
        self._room = room
        self._source = rtc.AudioSource(RATE, 1, queue_size_ms=QUEUE_MS)
        self._publication: rtc.LocalTrackPublication | None = None
        self._tasks = Tasks()
        self._subscribed: asyncio.Task[None] | None = None

    @property
    def track_sid(self) -> str | None:
        """The track's sid, once it is published."""
        return None if self._publication is None else self._publication.sid

    async def open(self) -> None:
        """Publishes the track. Raises rtc.PublishTrackError."""
        track = rtc.LocalAudioTrack.create_audio_track("agent", self._source)
        self._publication = await self._room.local_participant.publish_track(
            track, rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        )
        self._subscribed = self._tasks.start(
            self._publication.wait_for_subscription(), name="first subscription"
        )

    def output(self) -> AudioOutput:
        """Returns the audio output of one session."""
        return _Playout(self._source, self._audible)

    async def aclose(self) -> None:
        """Unpublishes the track."""
        await self._tasks.aclose()
        publication, self._publication = self._publication, None
        if publication is not None and self._room.isconnected():
            try:
                async with asyncio.timeout(UNPUBLISH_TIMEOUT):
                    await self._room.local_participant.unpublish_track(publication.sid)
            except (rtc.participant.UnpublishTrackError, TimeoutError) as error:
                logger.warning("unpublishing the agent's track failed: %s", error)
        await self._source.aclose()

    async def _audible(self) -> None:
        """Returns when somebody can hear the track, or nobody does for a while."""
        if self._subscribed is not None and not self._subscribed.done():
            await asyncio.wait((self._subscribed,), timeout=HEARD_WITHIN)


class _Playout(AudioOutput):
    """Plays segments of speech, each ended by `flush`, or cut short by `clear_buffer`."""

    def __init__(self, source: rtc.AudioSource, audible: Callable[[], Awaitable[None]]) -> None:
        super().__init__(
            label="loudspeaker",
            sample_rate=RATE,
            capabilities=AudioOutputCapabilities(pause=True),
        )
        self._source = source
        self._audible = audible
        self._playing = asyncio.Event()
        self._playing.set()
        self._pushed = 0.0
        self._is_open = False
        self._tasks = Tasks()
        self._ending: asyncio.Task[None] | None = None

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        """Returns when the frame is queued; waits while the output is paused."""
        if not self._is_open:
            await self._audible()
        for piece in _pieces(frame):
            await self._playing.wait()
            # Nothing waits between the two: a segment that counts as begun has audio.
            await super().capture_frame(piece)
            if not self._is_open:
                self._is_open = True
                self.on_playback_started(created_at=time.time())
            self._pushed += piece.duration
            await self._source.capture_frame(piece)

    def flush(self) -> None:
        """Completes the segment; it ends when it has been played."""
        super().flush()
        if self._is_open and self._ending is None:
            self._ending = self._tasks.start(self._play_out(), name="play out")

    def clear_buffer(self) -> None:
        """Stops playback at once."""
        if self._is_open:
            self._end(max(self._pushed - self._source.queued_duration, 0.0), interrupted=True)
            self._source.clear_queue()

    def pause(self) -> None:
        super().pause()
        self._playing.clear()

    def resume(self) -> None:
        super().resume()
        self._playing.set()

    async def _play_out(self) -> None:
        try:
            await self._source.wait_for_playout()
        except Exception:
            # The boundary around the native audio source: the session waits for the end.
            logger.exception("end of playback unknown; the answer counts as played")
        self._ending = None
        self._end(self._pushed, interrupted=False)

    def _end(self, position: float, *, interrupted: bool) -> None:
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None
        self._is_open = False
        self._pushed = 0.0
        self.on_playback_finished(playback_position=position, interrupted=interrupted)


def _pieces(frame: rtc.AudioFrame) -> Iterator[rtc.AudioFrame]:
    """A frame in pieces of 50 ms, so that a pause takes effect soon."""
    samples = frame.data
    for start in range(0, len(samples), PIECE_SAMPLES):
        piece = samples[start : start + PIECE_SAMPLES]
        yield rtc.AudioFrame(piece.tobytes(), frame.sample_rate, 1, len(piece))
