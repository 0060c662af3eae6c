"""Somebody with a microphone and ears, over the official SDK."""

from __future__ import annotations

import asyncio
from collections import deque

import numpy as np
from livekit import rtc

from tests.agent.voice.speech import RATE, Samples, say, understand

FRAME = RATE // 100
_AUDIBLE = 300.0  # mean amplitude of 16-bit samples


class Microphone:
    """A published microphone track; it is never quite still, and says what it is given."""

    def __init__(self, room: rtc.Room, *, noise: float = 5.0) -> None:
        self._room = room
        self._noise = noise
        self._source = rtc.AudioSource(RATE, 1, queue_size_ms=200)
        self._said: deque[tuple[Samples, asyncio.Event]] = deque()
        self._task: asyncio.Task[None] | None = None
        self.track = rtc.LocalAudioTrack.create_audio_track("microphone", self._source)
        self.publication: rtc.LocalTrackPublication | None = None
        self._subscribed = asyncio.Event()
        room.on("local_track_subscribed", self._on_subscribed)
        room.on("reconnecting", self._subscribed.clear)

    @property
    def sid(self) -> str:
        assert self.publication is not None
        return self.publication.sid

    async def publish(self, *, preconnect_buffer: bool = False) -> None:
        options = rtc.TrackPublishOptions(
            source=rtc.TrackSource.SOURCE_MICROPHONE, dtx=False, preconnect_buffer=preconnect_buffer
        )
        self.publication = await self._room.local_participant.publish_track(self.track, options)
        self._task = asyncio.create_task(self._run())

    async def subscribed(self) -> None:
        """The agent hears it; after a reconnection: hears it again."""
        async with asyncio.timeout(30):
            await self._subscribed.wait()

    def _on_subscribed(self, track: rtc.Track) -> None:
        if track is self.track:
            self._subscribed.set()

    async def unpublish(self) -> None:
        await self._room.local_participant.unpublish_track(self.sid)
        await self.aclose()

    async def say(self, what: str | Samples) -> None:
        """Returns when it has been said."""
        await self._say(what)

    def begin(self, what: str | Samples) -> asyncio.Task[None]:
        """Begins to say something; the task ends when it has been said."""
        return asyncio.create_task(self._say(what))

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
            await self._source.aclose()

    async def _say(self, what: str | Samples) -> None:
        done = asyncio.Event()
        self._said.append((await say(what) if isinstance(what, str) else what, done))
        await done.wait()

    async def _run(self) -> None:
        random = np.random.default_rng(1)
        while True:
            sound = random.normal(0, self._noise, FRAME)
            if self._said:
                samples, done = self._said[0]
                sound[: len(samples[:FRAME])] += samples[:FRAME]
                if len(samples) > FRAME:
                    self._said[0] = samples[FRAME:], done
                else:
                    self._said.popleft()
                    done.set()
            frame = np.clip(sound, -32768, 32767).astype(np.int16)
            await self._source.capture_frame(rtc.AudioFrame(frame.tobytes(), RATE, 1, FRAME))


class Ears:
    """Listens to the agent from its first track on, and to each that follows."""

    def __init__(self, room: rtc.Room) -> None:
        self._heard: list[Samples] = []
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.audible_at: list[float] = []
        room.on("track_subscribed", self._on_track)

    @property
    def loud_seconds(self) -> float:
        """Seconds in which the agent was audible."""
        return sum(len(s) for s in self._heard if np.abs(s).mean() > _AUDIBLE) / RATE

    async def until_audible(self, seconds: float = 0.05) -> None:
        """The agent has been heard for so long, all in all."""
        async with asyncio.timeout(30):
            while self.loud_seconds < seconds:
                self._changed.clear()
                await self._changed.wait()

    async def until_quiet(self, seconds: float = 0.5) -> None:
        """The agent has been audible, and has not been for so long."""
        await self.until_audible()
        async with asyncio.timeout(30):
            while not self._is_quiet(seconds):
                self._changed.clear()
                await self._changed.wait()

    def _is_quiet(self, seconds: float) -> bool:
        last = self._heard[-int(seconds * 100) :]
        return all(np.abs(samples).mean() <= _AUDIBLE for samples in last)

    def forget(self) -> None:
        self._heard.clear()
        self.audible_at.clear()

    async def understood(self) -> str:
        """The agent's words, once it is quiet."""
        await self.until_quiet()
        loud = [i for i, s in enumerate(self._heard) if np.abs(s).mean() > _AUDIBLE]
        if not loud:
            return ""
        return await understand(np.concatenate(self._heard[max(loud[0] - 20, 0) : loud[-1] + 20]))

    async def aclose(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _on_track(
        self, track: rtc.Track, _: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant
    ) -> None:
        if participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT:
            task = asyncio.create_task(self._listen(track))
            self._tasks.add(task)

    async def _listen(self, track: rtc.Track) -> None:
        stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1)
        try:
            async for event in stream:
                samples = np.frombuffer(event.frame.data, np.int16).copy()
                self._heard.append(samples)
                if np.abs(samples).mean() > _AUDIBLE:
                    self.audible_at.append(asyncio.get_running_loop().time())
                self._changed.set()
        finally:
            await stream.aclose()
