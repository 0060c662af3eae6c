"""Floor: decides which microphone is listened to."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable

from livekit import rtc
from livekit.agents.voice.io import AudioInput

from agent.voice.microphone import FRAME_SECONDS, RATE, Microphone

logger = logging.getLogger(__name__)

QUIET = 1.0
"""Seconds of silence after which the floor is free, if nothing was understood."""
STREAM_QUIET = 2.0
"""The same where speech is recognised by a stream, whose first words may come later than that."""
TURN_PATIENCE = 10.0
"""Seconds that recognised speech may take to become a turn."""
STARVED_AFTER = 4 * FRAME_SECONDS
MAX_QUEUED_FRAMES = 2_000
"""Frames (a minute) that wait for the session: it reads none while it is renewed."""

_SILENCE = rtc.AudioFrame(bytes(2 * int(RATE * FRAME_SECONDS)), RATE, 1, int(RATE * FRAME_SECONDS))


class Floor(AudioInput):
    """The session's audio input: the first speaker has the floor until their turn is over.

    Participants who speak meanwhile wait, in the order in which they began, and are then heard from
    the beginning: turns are never mixed, and only audio beyond 30 s is lost. While nobody speaks,
    the session gets no audio at all. When the microphone of the speaker is muted, unpublished or
    lost, silence takes its place, and the turn ends as usual.
    """

    def __init__(self) -> None:
        super().__init__(label="floor")
        self._frames: asyncio.Queue[rtc.AudioFrame | None] = asyncio.Queue(MAX_QUEUED_FRAMES)
        """None: what came before it has become no turn, and will not."""
        self._microphones: dict[str, Microphone] = {}
        self._only: str | None = None
        self._holder: Microphone | None = None
        self._last: Microphone | None = None
        self._given_at = 0.0
        self._pushed_at = 0.0
        self._recognizing = 0
        self._understood_at: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._free = asyncio.Event()
        self._free.set()
        self.given = 0
        """The number of times that somebody got the floor."""
        self.quiet = QUIET
        """Seconds of silence after which the floor is free, if nothing was understood."""
        self.on_unused: Callable[[], None] | None = None
        """Called once the session has read sound that becomes no turn."""

    @property
    def speaker(self) -> Microphone | None:
        """The microphone that has the floor, or had it last."""
        return self._holder or self._last

    @property
    def speaking(self) -> bool:
        """Whether the participant who has the floor is speaking."""
        return self._holder is not None and self._holder.speaking

    @property
    def taken(self) -> bool:
        """Whether somebody is being listened to, or waits to be."""
        return self._holder is not None or self._next() is not None

    async def until_free(self) -> None:
        """Returns when nobody is being listened to."""
        await self._free.wait()

    async def __anext__(self) -> rtc.AudioFrame:
        while (frame := await self._frames.get()) is None:
            if self.on_unused is not None:
                self.on_unused()
        return frame

    def add(self, microphone: Microphone) -> None:
        """Adds a microphone, possibly one that was removed before."""
        microphone.gone = False
        self._microphones[microphone.track_sid] = microphone

    def remove(self, microphone: Microphone) -> None:
        """Removes a microphone; its speech so far is still heard."""
        microphone.gone = True
        microphone.fall_silent()
        if microphone.waiting_since is None:
            self._microphones.pop(microphone.track_sid, None)

    def listen_to(self, identity: str | None) -> None:
        """Listens to one person only; None: to anybody who speaks."""
        self._only = identity
        for microphone in self._microphones.values():
            if not self._may_speak(microphone):
                microphone.take()
        self._decide()

    def take(self, microphone: Microphone, frame: rtc.AudioFrame) -> None:
        """Adds a frame of a microphone."""
        microphone.hear(frame)
        if microphone is self._holder and self._may_speak(microphone):
            self._push(frame)
        else:
            microphone.keep(frame)
            if not self._may_speak(microphone):
                microphone.waiting_since = None
        self._decide()

    def recognizing(self) -> None:
        """Notes that an utterance is being recognised."""
        self._recognizing += 1

    def recognized(self, text: str) -> None:
        """Notes that recognition has ended: with text, without any, or with a failure."""
        self._recognizing -= 1
        if text:
            self._understood_at = time.monotonic()

    def turn_over(self) -> None:
        """Notes that speech has become a turn; the floor is free unless its holder goes on."""
        self._understood_at = None
        if self._holder is not None and not self._holder.speaking:
            self._release()
        self._decide()

    def close(self) -> None:
        """Ends the input: no more audio."""
        self._release()
        self._microphones.clear()
        self._free.set()

    def _may_speak(self, microphone: Microphone) -> bool:
        return self._only is None or microphone.identity == self._only

    def _next(self) -> Microphone | None:
        waiting = [
            (each.waiting_since, each)
            for each in self._microphones.values()
            if each.waiting_since is not None and self._may_speak(each)
        ]
        return min(waiting, key=lambda pair: pair[0])[1] if waiting else None

    def _decide(self) -> None:
        if self._holder is not None and self._is_over(self._holder):
            self._release()
            self._queue(None)
        if self._holder is None and (following := self._next()) is not None:
            self._give(following)
        if self._holder is None:
            self._free.set()
        else:
            self._free.clear()

    def _is_over(self, holder: Microphone) -> bool:
        now = time.monotonic()
        if holder.speaking and self._may_speak(holder):
            return False
        if now - max(holder.quiet_since, self._given_at) < self.quiet or self._recognizing:
            return False
        return self._understood_at is None or now - self._understood_at > TURN_PATIENCE

    def _give(self, microphone: Microphone) -> None:
        self._holder = self._last = microphone
        self.given += 1
        self._given_at = time.monotonic()
        self._understood_at = None
        for frame in microphone.take():
            self._push(frame)

    def _release(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._holder is not None and self._holder.gone:
            self._microphones.pop(self._holder.track_sid, None)
        self._holder = None

    def _queue(self, frame: rtc.AudioFrame | None) -> None:
        if self._frames.full():
            self._frames.get_nowait()
        self._frames.put_nowait(frame)

    def _push(self, frame: rtc.AudioFrame) -> None:
        self._queue(frame)
        self._pushed_at = time.monotonic()
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(STARVED_AFTER, self._pad, loop.time() + STARVED_AFTER)

    def _pad(self, due: float = math.inf) -> None:
        """Nothing came from the microphone that has the floor: that counts as silence."""
        if self._holder is None:
            return
        loop = asyncio.get_running_loop()
        if loop.time() > due + FRAME_SECONDS:
            # The loop was late: audio that came meanwhile is still queued in it.
            self._timer = loop.call_later(STARVED_AFTER, self._pad)
            return
        self._holder.fall_silent()
        for _ in range(int((time.monotonic() - self._pushed_at) / FRAME_SECONDS)):
            self._push(_SILENCE)
        self._decide()
