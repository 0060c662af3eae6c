"""Microphones: subscribes to those of the people in the room, and hands their sound on."""

from __future__ import annotations

import asyncio
import logging

from livekit import rtc

from agent.tasks import Tasks
from agent.voice.floor import Floor
from agent.voice.microphone import FRAME_MS, RATE, Microphone

logger = logging.getLogger(__name__)

MAX_FRAMES_BEHIND = 300
"""Frames of one microphone (about 10 s) that a busy event loop may be late by."""


def is_microphone(
    publication: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant
) -> bool:
    """Whether a track is a person's microphone: agents are not listened to."""
    return (
        publication.source == rtc.TrackSource.SOURCE_MICROPHONE
        and participant.kind != rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
    )


class Microphones:
    """All microphones of a room, each with a task that reads it, from `open` to `aclose`."""

    def __init__(self, room: rtc.Room, floor: Floor) -> None:
        self._room = room
        self._floor = floor
        self._tasks = Tasks()
        self._readers: dict[str, asyncio.Task[None]] = {}
        self._is_open = False

    def open(self) -> None:
        """Subscribes to the microphones that there are, and to those that come."""
        self._is_open = True
        self._room.on("track_published", self._on_published)
        self._room.on("track_subscribed", self._on_subscribed)
        self._room.on("track_unsubscribed", self._on_unsubscribed)
        self._room.on("track_muted", self._on_muted)
        self._room.on("track_unmuted", self._on_unmuted)
        for participant in self._room.remote_participants.values():
            for publication in participant.track_publications.values():
                self._on_published(publication, participant)

    async def aclose(self) -> None:
        """Unsubscribes from all of them."""
        if not self._is_open:
            return
        self._is_open = False
        self._room.off("track_published", self._on_published)
        self._room.off("track_subscribed", self._on_subscribed)
        self._room.off("track_unsubscribed", self._on_unsubscribed)
        self._room.off("track_muted", self._on_muted)
        self._room.off("track_unmuted", self._on_unmuted)
        if self._room.isconnected():
            for participant in self._room.remote_participants.values():
                for publication in participant.track_publications.values():
                    if is_microphone(publication, participant):
                        publication.set_subscribed(False)
        await self._tasks.aclose()

    def _on_published(
        self, publication: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant
    ) -> None:
        if is_microphone(publication, participant):
            publication.set_subscribed(True)
            if publication.track is not None:
                self._on_subscribed(publication.track, publication, participant)

    def _on_subscribed(
        self,
        track: rtc.Track,
        publication: rtc.RemoteTrackPublication,
        participant: rtc.RemoteParticipant,
    ) -> None:
        if not is_microphone(publication, participant) or publication.muted:
            return
        self._stop(publication.sid)
        microphone = Microphone(participant.identity, publication.sid)
        self._readers[publication.sid] = self._tasks.keep(
            lambda: self._read(track, microphone), name="microphone"
        )

    def _on_unsubscribed(
        self,
        _track: rtc.Track,
        publication: rtc.RemoteTrackPublication,
        _participant: rtc.RemoteParticipant,
    ) -> None:
        self._stop(publication.sid)

    def _on_muted(self, _participant: rtc.Participant, publication: rtc.TrackPublication) -> None:
        self._stop(publication.sid)

    def _on_unmuted(self, participant: rtc.Participant, publication: rtc.TrackPublication) -> None:
        if (
            isinstance(participant, rtc.RemoteParticipant)
            and isinstance(publication, rtc.RemoteTrackPublication)
            and publication.track is not None
        ):
            self._on_subscribed(publication.track, publication, participant)

    def _stop(self, track_sid: str) -> None:
        if (task := self._readers.pop(track_sid, None)) is not None:
            task.cancel()

    async def _read(self, track: rtc.Track, microphone: Microphone) -> None:
        stream = rtc.AudioStream(
            track,
            capacity=MAX_FRAMES_BEHIND,
            sample_rate=RATE,
            num_channels=1,
            frame_size_ms=FRAME_MS,
        )
        self._floor.add(microphone)
        try:
            async for event in stream:
                self._floor.take(microphone, event.frame)
        finally:
            self._floor.remove(microphone)
            await stream.aclose()
