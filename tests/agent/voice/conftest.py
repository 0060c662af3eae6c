"""Fixtures for tests with real sound: a speech service, and people with microphones."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import NamedTuple, Protocol

import pytest
from livekit import rtc

from tests.agent.chat_client import ChatClient
from tests.agent.conftest import Enter, StartWorker, Worker
from tests.agent.voice.person import Ears, Microphone
from tests.agent.voice.speech import close, get_ready, missing
from tests.agent.voice.speech_server import SpeechServer


class Segment(NamedTuple):
    """A segment of a transcription packet."""

    identity: str
    track: str
    id: str
    text: str
    final: bool


class Person(ChatClient):
    """A person's app in a room with speech."""

    def __init__(self) -> None:
        super().__init__()
        self.ears = Ears(self.room)
        self.microphone = Microphone(self.room)
        self.segments: list[Segment] = []
        """Of transcription packets, one for each time that a segment came."""
        self.room.on("transcription_received", self._on_transcription)
        self.room.on("track_published", self._on_published)
        self.room.on("track_unpublished", self._on_published)

    @property
    def state(self) -> str | None:
        """The state that the agent publishes."""
        return self.states[-1] if self.states else None

    def _on_transcription(
        self,
        segments: list[rtc.TranscriptionSegment],
        participant: rtc.Participant | None,
        publication: rtc.TrackPublication | None,
    ) -> None:
        who = "" if participant is None else participant.identity
        track = "" if publication is None else publication.sid
        self.segments += [Segment(who, track, s.id, s.text, s.final) for s in segments]
        self._changed.set()

    async def final_segment(self, segment_id: str) -> Segment:
        """A segment as it is at its end."""
        return (
            await self.until(lambda: [s for s in self.segments if s.final and s.id == segment_id])
        )[0]

    def _on_published(
        self, publication: rtc.RemoteTrackPublication, _: rtc.RemoteParticipant
    ) -> None:
        self._on_change(publication)


class Meet(Protocol):
    """Lets somebody with ears join the test's room, and with a microphone unless told otherwise."""

    async def __call__(
        self,
        identity: str,
        *,
        microphone: bool = True,
        metadata: str = "",
        name: str = "",
        worker: Worker | None = None,
    ) -> Person: ...


@pytest.fixture(scope="session", autouse=True)
async def sound() -> AsyncGenerator[None]:
    if (reason := missing()) is not None:
        pytest.skip(reason)
    await get_ready()
    yield
    close()


@pytest.fixture
async def speech() -> AsyncGenerator[SpeechServer]:
    async with SpeechServer() as server:
        yield server


@pytest.fixture
async def meet(
    enter: Enter, start_worker: StartWorker, speech: SpeechServer
) -> AsyncGenerator[Meet]:
    people: list[Person] = []
    workers: list[Worker] = []

    async def join(
        identity: str,
        *,
        microphone: bool = True,
        metadata: str = "",
        name: str = "",
        worker: Worker | None = None,
    ) -> Person:
        if worker is None and not workers:
            workers.append(
                await start_worker(STT_BASE_URL=speech.base_url, TTS_BASE_URL=speech.base_url)
            )
        worker = worker or workers[0]
        person = Person()
        people.append(person)
        await enter(identity, worker=worker, metadata=metadata, name=name, client=person)
        if microphone:
            await person.microphone.publish()
        return person

    yield join
    for person in people:
        await person.microphone.aclose()
        await person.ears.aclose()
