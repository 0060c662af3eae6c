"""Tones and pictures that participants publish, and how others tell them apart."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import numpy as np
from livekit import rtc

from tests.devserver.room_events import WITHIN

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

RATE = 48_000
WIDTH, HEIGHT = 320, 240
_WINDOW_SECONDS = 0.2
_FRAME_SECONDS = 1 / 15
_AUDIBLE = 500.0  # mean amplitude of 16-bit samples
_COLOUR_TOLERANCE = 40


@contextlib.asynccontextmanager
async def tone(
    room: rtc.Room,
    hertz: int,
    *,
    source: rtc.TrackSource.ValueType = rtc.TrackSource.SOURCE_MICROPHONE,
    red: bool = True,
) -> AsyncGenerator[rtc.LocalTrackPublication]:
    """Publishes a tone; it stays published when the context ends, and falls silent.

    `red`: whether with redundancy.
    """
    audio = rtc.AudioSource(RATE, 1, queue_size_ms=100)
    track = rtc.LocalAudioTrack.create_audio_track(f"tone-{hertz}", audio)
    publication = await room.local_participant.publish_track(
        track, rtc.TrackPublishOptions(source=source, red=red)
    )
    player = asyncio.create_task(_play(audio, hertz))
    try:
        yield publication
    finally:
        player.cancel()
        await asyncio.gather(player, return_exceptions=True)
        await audio.aclose()


async def _play(source: rtc.AudioSource, hertz: int) -> None:
    samples = RATE // 100
    start = 0
    while True:
        time = np.arange(start, start + samples) / RATE
        wave = (10_000 * np.sin(2 * np.pi * hertz * time)).astype(np.int16)
        await source.capture_frame(rtc.AudioFrame(wave.tobytes(), RATE, 1, samples))
        start += samples


async def heard_hertz(track: rtc.Track) -> int:
    """The frequency of the first tone on the track, rounded to 50 Hz; silence is waited out."""
    stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1)
    try:
        async with asyncio.timeout(WITHIN):
            window = np.zeros(0, np.int16)
            async for event in stream:
                frame = np.frombuffer(event.frame.data, np.int16)
                if np.abs(frame).mean() < _AUDIBLE:
                    window = np.zeros(0, np.int16)
                    continue
                window = np.concatenate([window, frame])
                if len(window) >= RATE * _WINDOW_SECONDS:
                    spectrum = np.abs(np.fft.rfft(window))
                    return round(spectrum.argmax() / len(window) * RATE / 50) * 50
    finally:
        await stream.aclose()
    raise AssertionError("the track ended")


async def is_silent(track: rtc.Track, seconds: float = 0.3) -> bool:
    """Whether the next frames of the track, so long, are silent; none at all is silence too."""
    stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1)
    silence = 0.0
    try:
        async with asyncio.timeout(WITHIN):
            async for event in stream:
                frame = np.frombuffer(event.frame.data, np.int16)
                loud = np.abs(frame).mean() >= _AUDIBLE
                silence = 0.0 if loud else silence + len(frame) / RATE
                if silence >= seconds:
                    return True
    except TimeoutError:
        return False
    finally:
        await stream.aclose()
    return True


@contextlib.asynccontextmanager
async def picture(
    room: rtc.Room,
    brightness: int,
    *,
    codec: rtc.VideoCodec.ValueType = rtc.VideoCodec.VP8,
    simulcast: bool = False,
) -> AsyncGenerator[rtc.LocalTrackPublication]:
    """Publishes a grey picture of this brightness (0 to 255)."""
    video = rtc.VideoSource(WIDTH, HEIGHT)
    track = rtc.LocalVideoTrack.create_video_track(f"grey-{brightness}", video)
    publication = await room.local_participant.publish_track(
        track,
        rtc.TrackPublishOptions(
            source=rtc.TrackSource.SOURCE_CAMERA, video_codec=codec, simulcast=simulcast
        ),
    )
    shower = asyncio.create_task(_show(video, brightness))
    try:
        yield publication
    finally:
        shower.cancel()
        await asyncio.gather(shower, return_exceptions=True)
        await video.aclose()


async def _show(source: rtc.VideoSource, brightness: int) -> None:
    chroma = bytes([128]) * (WIDTH * HEIGHT // 2)
    frame = rtc.VideoFrame(
        WIDTH,
        HEIGHT,
        rtc.VideoBufferType.I420,
        bytes([brightness]) * (WIDTH * HEIGHT) + chroma,
    )
    while True:
        source.capture_frame(frame)
        await asyncio.sleep(_FRAME_SECONDS)  # the picture's own clock


async def shows(track: rtc.Track, brightness: int) -> bool:
    """Returns once a frame of about this brightness came."""
    stream = rtc.VideoStream(track, format=rtc.VideoBufferType.I420)
    try:
        async with asyncio.timeout(WITHIN):
            async for event in stream:
                frame = event.frame
                luma = np.frombuffer(frame.data, np.uint8)[: frame.width * frame.height]
                if abs(float(luma.mean()) - brightness) < _COLOUR_TOLERANCE:
                    return True
    finally:
        await stream.aclose()
    return False


async def comes_with_width(track: rtc.Track, width: int) -> None:
    """Returns once a frame of this width came."""
    stream = rtc.VideoStream(track, format=rtc.VideoBufferType.I420)
    try:
        async with asyncio.timeout(WITHIN):
            async for event in stream:
                if event.frame.width == width:
                    return
    finally:
        await stream.aclose()
    raise AssertionError("the track ended")
