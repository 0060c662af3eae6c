"""Microphone: the audio of one person's microphone, and whether they speak."""

from __future__ import annotations

import time
from collections import deque

import numpy as np
from livekit import rtc
from livekit.local_inference import VAD, VAD_WINDOW_SAMPLES

RATE = 16_000
"""Samples a second, one channel: the models' input format."""
FRAME_MS = VAD_WINDOW_SAMPLES * 1000 // RATE
FRAME_SECONDS = FRAME_MS / 1000

SPEECH_PROBABILITY = 0.5
SILENCE_PROBABILITY = 0.35
SPEECH_FRAMES = 3
"""Frames of speech after which somebody counts as speaking: shorter sounds do not."""
SILENCE_FRAMES = 13
"""Frames of silence (0.4 s) after which they have stopped."""

LEAD_FRAMES = 20
"""Frames from before the detected start of speech that belong to it."""
MAX_WAITING_FRAMES = 938
"""Length of the recording of a person who speaks while another has the floor: the last 30 s."""


class Microphone:
    """One microphone track. Frames have 512 samples: the VAD's window.

    Attributes:
        speaking: whether its owner speaks at the moment.
        quiet_since: since when they do not, in the event loop's or any other monotonic seconds.
        waiting_since: since when they speak without being listened to, or None.
        gone: it is muted, unpublished or lost.
    """

    def __init__(self, identity: str, track_sid: str) -> None:
        self.identity = identity
        self.track_sid = track_sid
        self.speaking = False
        self.quiet_since = time.monotonic()
        self.waiting_since: float | None = None
        self.gone = False
        self._vad = VAD()
        self._speech_frames = 0
        self._silence_frames = 0
        self._kept: deque[rtc.AudioFrame] = deque(maxlen=MAX_WAITING_FRAMES)

    def hear(self, frame: rtc.AudioFrame) -> None:
        """Notes whether there is speech in a frame."""
        probability = self._vad.predict(np.frombuffer(frame.data, np.int16))
        if probability >= SPEECH_PROBABILITY:
            self._speech_frames += 1
            self._silence_frames = 0
            if not self.speaking and self._speech_frames >= SPEECH_FRAMES:
                self.speaking = True
        elif probability < SILENCE_PROBABILITY:
            self._speech_frames = 0
            self._silence_frames += 1
            if self.speaking and self._silence_frames >= SILENCE_FRAMES:
                self.fall_silent()

    def fall_silent(self) -> None:
        """Notes that its owner does not speak, or cannot be heard."""
        if self.speaking:
            self.speaking = False
            self.quiet_since = time.monotonic()

    def keep(self, frame: rtc.AudioFrame) -> None:
        """Keeps a frame that nobody listens to yet, if it may be part of speech."""
        if self.speaking and self.waiting_since is None:
            self.waiting_since = time.monotonic()
        self._kept.append(frame)
        if self.waiting_since is None:
            while len(self._kept) > LEAD_FRAMES:
                self._kept.popleft()

    def take(self) -> list[rtc.AudioFrame]:
        """Returns the kept frames; from now on its owner is heard, or ignored."""
        kept = list(self._kept)
        self._kept.clear()
        self.waiting_since = None
        return kept
