"""Microphones: subscribes to the microphones of the people in the room, and passes their sound
on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

from livekit import rtc

from agent.tasks import Tasks
from agent.voice.floor import Floor
from agent.voice.microphone import Microphone
from agent.voice.microphone_reader import MicrophoneReader
from agent.voice.pre_connect_audio import PreConnectAudio, precedes
from agent.voice.recordings import frames_of

logger = logging.getLogger(__name__)

SUBSCRIBED_WITHIN = 3.0
"""Seconds that `subscribed` waits at the longest: a track may never come."""

ON_ITS_WAY = 0.5
"""Seconds that sound may still arrive after its track was reported as muted."""


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

    def __init__(self, room: rtc.Room, floor: Floor, pre_connect_audio: PreConnectAudio) -> None:
        self._room = room
        self._floor = floor
        self._pre_connect_audio = pre_connect_audio
        self._tasks = Tasks()
        self._readers: dict[str, tuple[MicrophoneReader, asyncio.Task[None]]] = {}
        self._changed = asyncio.Event()
        self._is_open = False

    def open(self) -> None:
        """Subscribes to all microphones, present and future."""
        self._is_open = True
        self._room.on("track_published", self._on_published)
        self._room.on("track_subscribed", self._on_subscribed)
        self._room.on("track_unsubscribed", self._on_unsubscribed)
        self._room.on("track_muted", self._on_muted)
        self._room.on("track_unmuted", self._on_unmuted)
        self._room.on("reconnected", self._subscribe)
        self._subscribe()

    def _subscribe(self) -> None:
        """Subscribes to the present microphones; again after a reconnection, since the SDK drops
        requests made meanwhile (livekit 1.1.21)."""
        for participant in self._room.remote_participants.values():
            for publication in participant.track_publications.values():
                self._on_published(publication, participant)

    async def subscribed(self) -> None:
        """Returns when the agent hears the present microphones, or should by now."""
        try:
            async with asyncio.timeout(SUBSCRIBED_WITHIN):
                while self._awaited():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            logger.warning("microphone track not subscribed after %g s", SUBSCRIBED_WITHIN)

    def _awaited(self) -> bool:
        return any(
            is_microphone(publication, participant)
            and not publication.muted
            and publication.track is None
            for participant in self._room.remote_participants.values()
            for publication in participant.track_publications.values()
        )

    async def aclose(self) -> None:
        """Stops reading.

        The tracks stay subscribed: if one is given up and asked for again at once, it may never
        come (livekit 1.1.21, with either server: three or four times in twenty).
        """
        if not self._is_open:
            return
        self._is_open = False
        self._room.off("track_published", self._on_published)
        self._room.off("track_subscribed", self._on_subscribed)
        self._room.off("track_unsubscribed", self._on_unsubscribed)
        self._room.off("track_muted", self._on_muted)
        self._room.off("track_unmuted", self._on_unmuted)
        self._room.off("reconnected", self._subscribe)
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
        self._changed.set()
        if not is_microphone(publication, participant):
            return
        sid, identity = publication.sid, participant.identity
        reader, _ = self._readers.get(sid, (None, None))
        if reader is not None and reader.awaits_recording:
            reader.track, reader.is_muted = track, publication.muted
            return
        recorded = None
        if precedes(publication) and not self._pre_connect_audio.was_taken(identity, sid):
            recorded = partial(self._recorded, identity, sid)
        elif publication.muted:
            return
        self._stop(sid)
        reader = MicrophoneReader(
            self._floor,
            Microphone(identity, sid),
            track,
            is_muted=publication.muted,
            recorded=recorded,
        )
        self._readers[sid] = reader, self._tasks.keep(reader.run, name="microphone")

    async def _recorded(self, identity: str, track_sid: str) -> Sequence[rtc.AudioFrame]:
        """Speech of a track from before its subscription."""
        recording = await self._pre_connect_audio.take(identity, track_sid)
        return [] if recording is None else await frames_of(recording)

    def _on_unsubscribed(
        self,
        _track: rtc.Track,
        publication: rtc.RemoteTrackPublication,
        _participant: rtc.RemoteParticipant,
    ) -> None:
        self._changed.set()
        self._stop(publication.sid)

    def _on_muted(self, _participant: rtc.Participant, publication: rtc.TrackPublication) -> None:
        self._changed.set()
        if (reading := self._readers.get(publication.sid)) is None:
            return
        if reading[0].awaits_recording:
            # Earlier speech is heard first.
            reading[0].is_muted = True
        else:
            self._tasks.start(self._run_out(publication.sid, reading), name="muted microphone")

    async def _run_out(
        self, track_sid: str, reading: tuple[MicrophoneReader, asyncio.Task[None]]
    ) -> None:
        """Reads on for a while: the last words before the mute are still on their way."""
        await asyncio.sleep(ON_ITS_WAY)
        if self._readers.get(track_sid) is reading:
            self._stop(track_sid)

    def _on_unmuted(self, participant: rtc.Participant, publication: rtc.TrackPublication) -> None:
        if (
            isinstance(participant, rtc.RemoteParticipant)
            and isinstance(publication, rtc.RemoteTrackPublication)
            and publication.track is not None
        ):
            self._on_subscribed(publication.track, publication, participant)

    def _stop(self, track_sid: str) -> None:
        if (reading := self._readers.pop(track_sid, None)) is not None:
            reading[1].cancel()
