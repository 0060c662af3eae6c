"""A client's recording as frames of the size that microphones have."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

import numpy as np
import numpy.typing as npt
from livekit import rtc

from agent.files.confined_process import UnreadableError, run_confined
from agent.voice.microphone import FRAME_SECONDS, RATE
from agent.voice.pre_connect_audio import Recording

logger = logging.getLogger(__name__)

MAX_SECONDS: Final = 30
"""Seconds of sound in a recording: the last ones of PCM, the first ones of a file. Most clients
stop after 10; Flutter's, which sends PCM, goes on until the agent is there, or its app's timeout
has passed: 20 s in its documentation (client-sdk-flutter, lib/src/preconnect/)."""

DECODED_WITHIN: Final = 5.0
AT_ONCE: Final = asyncio.Semaphore(2)
"""Processes that decode, of all rooms."""

FRAME_SAMPLES: Final = int(RATE * FRAME_SECONDS)
_FORMATS: Final = ((0, b"\x1aE\xdf\xa3", "matroska"), (4, b"ftyp", "mp4"), (0, b"OggS", "ogg"))
"""The first bytes of container files, and FFmpeg's names for the formats."""


async def frames_of(recording: Recording) -> list[rtc.AudioFrame]:
    """16 kHz, one channel; none if it cannot be decoded, which is logged."""
    try:
        samples = await _samples(recording)
    except UnreadableError as error:
        logger.warning("pre-connect audio not transcribed: %s", error)
        return []
    samples = samples[-MAX_SECONDS * RATE :]
    return [
        rtc.AudioFrame(samples[start : start + FRAME_SAMPLES].tobytes(), RATE, 1, FRAME_SAMPLES)
        for start in range(0, len(samples) - FRAME_SAMPLES + 1, FRAME_SAMPLES)
    ]


async def _samples(recording: Recording) -> npt.NDArray[np.int16]:
    for start, magic, container_format in _FORMATS:
        if recording.data[start : start + len(magic)] == magic:
            async with AT_ONCE:
                decoded = await run_confined(
                    "agent.voice.recording_process",
                    *(container_format, str(MAX_SECONDS)),
                    source=recording.data,
                    within=DECODED_WITHIN,
                )
            return np.frombuffer(decoded, np.int16)
    if "opus" in recording.mime_type or recording.mime_type.startswith("video/"):
        raise UnreadableError("its container is not WebM, MP4 or Ogg")
    return await asyncio.to_thread(_resampled, recording)


def _resampled(recording: Recording) -> npt.NDArray[np.int16]:
    channels, rate = recording.channels, recording.sample_rate
    whole = len(recording.data) // (2 * channels) * 2 * channels
    samples = np.frombuffer(recording.data[:whole], np.int16)[-MAX_SECONDS * rate * channels :]
    mono = samples.reshape(-1, channels).mean(axis=1).astype(np.int16)
    if rate == RATE or not len(mono):
        return mono
    resampler = rtc.AudioResampler(rate, RATE)
    frames = resampler.push(rtc.AudioFrame(mono.tobytes(), rate, 1, len(mono)))
    frames += resampler.flush()
    return np.concatenate([np.frombuffer(each.data, np.int16) for each in frames])
