"""Overlap: removes audio from a track that the client's recording of earlier speech already has.

A client records until it learns that the track is subscribed to, and what the agent hears of the
track is older by then: by one to three seconds where everything runs on one busy machine. The end
of a question would be heard twice, as a second question.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from livekit import rtc

from agent.voice.microphone import FRAME_SECONDS, RATE

LONGEST: Final = 5.0
"""Seconds of a recording that the track may repeat."""

BEGINS_WITHIN: Final = 2.0
"""Seconds of a track after which sound in it is no longer compared."""

COMPARED_FRAMES: Final = 10
"""Frames (0.3 s) of sound of the track that are looked for in the recording."""

SHORTEST: Final = 0.1
"""Shortest match in seconds. Less is not a word, and a voice resembles itself."""

RESEMBLANCE: Final = 0.8
"""Correlation of one sound in two encodings: 0.85 and more; of two in one voice: at most 0.78."""

QUIET: Final = 100.0
"""Amplitude of 16-bit samples below which there is nothing to compare."""

Samples = npt.NDArray[np.float64]


class Overlap:
    """Drops the frames of a track that its recording already has."""

    def __init__(self, recorded: Sequence[rtc.AudioFrame]) -> None:
        self._recorded = _samples(recorded[-int(LONGEST / FRAME_SECONDS) :])
        self._held: list[rtc.AudioFrame] = []
        self._taken = 0
        self._repeated = 0
        self._is_over = not len(self._recorded)

    async def new(self, frame: rtc.AudioFrame) -> Sequence[rtc.AudioFrame]:
        """The frames that can be heard now, after the next one of the track."""
        if self._repeated:
            self._repeated -= 1
            return ()
        if self._is_over:
            return (frame,)
        self._taken += 1
        if not self._held and np.abs(_samples([frame])).mean() < QUIET:
            self._is_over = self._taken > BEGINS_WITHIN / FRAME_SECONDS
            return (frame,)
        self._held.append(frame)
        if len(self._held) < COMPARED_FRAMES:
            return ()
        self._is_over = True
        repeated = await asyncio.to_thread(_repeated, self._recorded, _samples(self._held))
        held = self._held[repeated:]
        self._repeated = max(repeated - COMPARED_FRAMES, 0)
        self._recorded, self._held = _samples([]), []
        return held


def _repeated(recorded: Samples, sound: Samples) -> int:
    """Frames from where the sound is found in a recording to its end; 0: it is not found."""
    likeness = _likeness(recorded, sound)
    place = int(likeness.argmax())
    if likeness[place] < RESEMBLANCE:
        return 0
    return round((len(recorded) - place) / RATE / FRAME_SECONDS)


def _likeness(recorded: Samples, sound: Samples) -> Samples:
    """The correlation of a sound with the recording, at each of its samples."""
    length = len(recorded)
    size = 1 << (length + len(sound)).bit_length()
    spectrum = np.fft.rfft(recorded, size) * np.conj(np.fft.rfft(sound, size))
    products = np.fft.irfft(spectrum, size)[:length]
    starts = np.arange(length)
    compared = np.minimum(len(sound), length - starts)
    energies, energy = _energies(recorded), _energies(sound)
    powers = (energies[starts + compared] - energies[starts]) * energy[compared]
    likeness = products / np.sqrt(powers + (QUIET**2 * compared) ** 2)
    likeness[compared < SHORTEST * RATE] = 0.0
    return likeness


def _energies(samples: Samples) -> Samples:
    """Sums of the first n samples, for each n from 0 on."""
    return np.concatenate([[0.0], np.cumsum(samples**2)])


def _samples(frames: Sequence[rtc.AudioFrame]) -> Samples:
    parts = [np.frombuffer(each.data, np.int16) for each in frames]
    return np.concatenate([np.zeros(0, np.int16), *parts]).astype(np.float64)
