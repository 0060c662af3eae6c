"""Fixtures for tests with real sound: a speech service, and people with microphones."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

import pytest
from livekit import rtc

from tests.agent.chat_client import ChatClient
from tests.agent.conftest import Enter, StartWorker, Worker
from tests.agent.voice.person import Ears, Microphone
from tests.agent.voice.speech import close, get_ready, missing
from tests.agent.voice.speech_server import SpeechServer


class Person(ChatClient):
    """What a person's app does in a room in which one speaks."""

    def __init__(self) -> None:
        super().__init__()
        self.ears = Ears(self.room)
        self.microphone = Microphone(self.room)
        self.room.on("track_published", self._on_published)
        self.room.on("track_unpublished", self._on_published)

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
