"""A long evening in one room: everybody's messages, each stored, each answered exactly once."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncGenerator, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from livekit import api, rtc

from agent.history.message import Message, ThreadKey
from agent.history.open_history import open_history
from agent.testing.history_samples import everything
from agent.wire.attributes import SEGMENT_ID
from devserver.data.packets import PacketRecord
from devserver.model import DemoModel, Reply
from tests.agent.chat_client import AGENT, REPLY_TOPICS, ChatClient
from tests.agent.conftest import StartWorker
from tests.agent.outages import LockedSqlite, Outage, StoppedPostgres
from tests.agent.worker_process import start_for, until_it_says
from tests.room_server import RoomServerUnderTest

PEOPLE = ("ann", "bob", "carol", "dan", "eve")
PRIVATE = ("ann", "bob")
PHRASES = (
    "plain",
    "'; DROP TABLE history_message; --",
    "👩‍👩‍👧 🇫🇮",
    "\u202eright to left\u202c שלום",
    '\x00 \x1a \\ " {}',
)


def secret_of(identity: str) -> str:
    """A mark in everything private of one person, and nowhere else."""
    return f"secret of {identity}"


@dataclass
class Person:
    """Somebody in the room, and what they have written: texts by their ids."""

    client: ChatClient
    said: dict[str, str] = field(default_factory=dict[str, str])
    said_privately: dict[str, str] = field(default_factory=dict[str, str])
    read_later: dict[str, str] = field(default_factory=dict[str, str])
    """Answers that were stored, and whose end was lost with a worker."""

    @property
    def identity(self) -> str:
        return self.client.me.identity

    async def say(self, number: int) -> None:
        """Writes: in turn as a stream, as a packet and, those who do so, privately."""
        text = f"{self.identity} {number}: {PHRASES[number % len(PHRASES)]}"
        private = number % 3 == 1 and self.identity in PRIVATE
        if number % 3 == 0:
            self.said[await self.client.say(text)] = text
            return
        message = f"{self.identity}-{number}"
        if private:
            self.said_privately[message] = f"{secret_of(self.identity)}, {text}"
        else:
            self.said[message] = text
        await self._send(message)

    async def send_again(self) -> None:
        """Sends again under its id what was not answered yet, as a careful app does."""
        for message in self.unanswered():
            await self._send(message)

    def unanswered(self) -> list[str]:
        private = {body["inReplyTo"] for _, body in self.client.packets if body.get("final")}
        answered = self.client.answered() | private | self.read_later.keys()
        return [each for each in (*self.said, *self.said_privately) if each not in answered]

    def answers(self, message: str) -> list[str]:
        """The whole answers to one's own message that came in.

        One whose end was not noted when its worker was killed comes again, under its segment id.
        """
        if message in self.read_later:
            return [self.read_later[message]]
        if message in self.said:
            answers = self.client.finished(message)
            once = {(each.attributes[SEGMENT_ID], each.text): each.text for each in answers}
            return list(once.values())
        whole: dict[tuple[object, str], str] = {}
        text = ""
        for topic, delta in self.client.packets:
            if topic == REPLY_TOPICS[0] and delta["inReplyTo"] == message:
                text = f"{text if delta['seq'] else ''}{delta['text']}"
                if delta.get("final"):
                    whole[delta["id"], text] = text
        return list(whole.values())

    async def look_up(self) -> None:
        """Reads in the history what was not answered in full, as an app does that comes back."""
        open_ = self.unanswered()
        for thread in ("room", f"private:{self.identity}"):
            for message in await pages(self, thread):
                if message.get("inReplyTo") in open_ and message.get("finishReason"):
                    self.read_later[message["inReplyTo"]] = message["text"]

    async def _send(self, message: str) -> None:
        private = message in self.said_privately
        text = self.said_privately[message] if private else self.said[message]
        body = {"type": "chat", "id": message, "text": text, "private": private}
        await self.client.me.publish_data(
            json.dumps(body), destination_identities=[AGENT] if private else []
        )


class Evening:
    """A room and the people in it, who see one worker after another."""

    def __init__(self, room_server: RoomServerUnderTest, room: str) -> None:
        self._server = room_server
        self._room = room
        self._sent = 0
        self.people: list[Person] = []

    async def join(self, identity: str, worker: str = "") -> Person:
        """Somebody else comes; the first one brings the worker."""
        dispatch = api.RoomAgentDispatch(agent_name=worker)
        token = self._server.access_token(identity, self._room).with_room_config(
            api.RoomConfiguration(agents=[dispatch])
        )
        person = Person(ChatClient())
        self.people.append(person)
        await person.client.room.connect(self._server.url, token.to_jwt())
        await person.client.until_ready()
        return person

    async def bring(self, worker: str) -> None:
        """Another worker, in place of one that was killed, which the server takes for silent."""
        async with self._server.api() as lk_api:
            await lk_api.room.remove_participant(
                api.RoomParticipantIdentity(room=self._room, identity=AGENT)
            )
            for person in self.people:
                await person.client.until(lambda client=person.client: client.agent is None)
            await lk_api.agent_dispatch.create_dispatch(
                api.CreateAgentDispatchRequest(agent_name=worker, room=self._room)
            )
        for person in self.people:
            await person.client.until_ready()

    async def talk(self, messages: int) -> None:
        """So many messages, of all people in turn."""
        for _ in range(messages):
            await self.people[self._sent % len(self.people)].say(self._sent)
            self._sent += 1

    async def answered(self) -> None:
        """Everybody has the answers to their messages."""
        for person in self.people:
            await person.client.until(lambda each=person: not each.unanswered())

    async def answered_or_stored(self) -> None:
        """Everybody has the answers, those that a worker stored and could not end from the history.

        Of each conversation that can be one.
        """
        try:
            await self.answered()
        except TimeoutError:
            for person in self.people:
                await person.look_up()
            assert not any(person.unanswered() for person in self.people)
            read = [message for person in self.people for message in person.read_later]
            assert len(read) <= 1 + len(PRIVATE)

    async def leave(self) -> None:
        await asyncio.gather(*(person.client.room.disconnect() for person in self.people))


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.lengthy)])
def outage(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Outage]:
    if request.param == "postgres":
        yield StoppedPostgres(request.getfixturevalue("postgres"))
        return
    with contextlib.closing(LockedSqlite(tmp_path / "evening.db")) as locked:
        yield locked


@pytest.fixture
def record(room_server: RoomServerUnderTest) -> Generator[PacketRecord]:
    """Everything that the server forwards during a test."""
    embedded = room_server.embedded
    if embedded is None:
        pytest.skip("a real server keeps no record of what it forwards")
    record = embedded.packets
    usual = record.capacity
    record.clear()
    record.capacity = 1_000_000
    yield record
    record.clear()
    record.capacity = usual


@pytest.fixture
async def evening(
    room_server: RoomServerUnderTest, room_name: str, model: DemoModel
) -> AsyncGenerator[Evening]:
    model.when("", lambda request: Reply(tokens=["You said: ", request.user_text]))
    evening = Evening(room_server, room_name)
    yield evening
    await evening.leave()


@pytest.fixture
async def doomed(
    room_server: RoomServerUnderTest, model: DemoModel, outage: Outage, tmp_path: Path
) -> AsyncGenerator[asyncio.subprocess.Process]:
    """A worker in a process of its own, which does not live long."""
    process = await start_for(
        room_server,
        model,
        tmp_path,
        "doomed",
        DATABASE_URL=outage.url,
        CONVERSATIONS="room-name",
    )
    yield process
    if process.returncode is None:
        process.kill()
    await process.communicate()


@pytest.mark.timeout(180)  # Two workers and eight clients, on a machine that others use as well.
async def test_each_message_is_kept_and_answered_once_whatever_happens(
    evening: Evening,
    outage: Outage,
    record: PacketRecord,
    room_name: str,
    doomed: asyncio.subprocess.Process,
    start_worker: StartWorker,
) -> None:
    other, _ = await asyncio.gather(
        start_worker(DATABASE_URL=outage.url, CONVERSATIONS="room-name"),
        until_it_says(doomed, "registered worker"),
    )
    for identity in PEOPLE:
        await evening.join(identity, "doomed")
    await evening.talk(60)
    await evening.answered()

    fay = await evening.join("fay")
    assert as_said(await pages(fay)) == all_said(evening)
    await evening.talk(50)
    ann = evening.people[0]
    await ann.client.until(lambda: len(ann.unanswered()) < 6)
    doomed.kill()
    await evening.bring(other.name)
    for person in evening.people:
        await person.send_again()
    await evening.answered_or_stored()

    gus = await evening.join("gus")
    assert as_said(await pages(gus)) == all_said(evening)
    await outage.begin()
    await evening.talk(45)
    hal = await evening.join("hal")
    await evening.answered()
    with pytest.raises(rtc.RpcError, match="not available"):
        await pages(hal)
    await outage.end()
    assert as_said(await pages_again(hal)) == all_said(evening)
    await evening.talk(45)
    await evening.answered()

    await check_what_people_read(evening)
    await check_the_store(outage.url, room_name)
    check_the_wire(record, room_name)


def all_said(evening: Evening) -> dict[str, str]:
    return {id_: text for person in evening.people for id_, text in person.said.items()}


def as_said(messages: Sequence[dict[str, Any]]) -> dict[str, str]:
    return {each["id"]: each["text"] for each in messages if each["role"] == "user"}


async def pages(person: Person, thread: str = "room") -> list[dict[str, Any]]:
    """All of a thread that somebody can read."""
    read: list[dict[str, Any]] = []
    arguments: dict[str, object] = {"thread": thread, "limit": 200}
    while True:
        page = json.loads(await person.client.call("getHistory", json.dumps(arguments)))
        read[:0] = page["messages"]
        if "nextBefore" not in page:
            return read
        arguments["before"] = page["nextBefore"]


async def pages_again(person: Person) -> list[dict[str, Any]]:
    """The same, once the database is back."""
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(rtc.RpcError):
                return await pages(person)


async def check_what_people_read(evening: Evening) -> None:
    """Everybody reads what was said, byte for byte, and got one whole answer to each message."""
    in_the_room = all_said(evening)
    assert len(in_the_room) + sum(len(each.said_privately) for each in evening.people) == 200
    for person in evening.people:
        assert as_said(await pages(person)) == in_the_room
        for message, text in (person.said | person.said_privately).items():
            (answer,) = person.answers(message)
            assert answer.endswith(text)
        private = await pages(person, f"private:{person.identity}")
        assert as_said(private) == person.said_privately
        assert bool(private) == (person.identity in PRIVATE)


async def check_the_store(url: str, room: str) -> None:
    """It holds each message and one answer to each."""
    history = open_history(url)
    kept: list[Message] = []
    for owner in (None, *PRIVATE):
        kept += await everything(history, ThreadKey(room, owner), owner or "ann")
    await history.aclose()
    questions = {each.key: each for each in kept if each.role == "user"}
    answers = Counter(each.question for each in kept if each.role == "assistant")
    assert len(questions) == 200
    assert answers == Counter(questions.keys())
    assert not any(each.awaits_answer for each in questions.values())
    for answer in kept:
        if answer.role == "assistant":
            assert answer.finish_reason == "stop"
            assert answer.text.endswith(questions[answer.question].text)


def check_the_wire(record: PacketRecord, room: str) -> None:
    """Nothing private went to anyone but the agent and whose it is."""
    for owner in PRIVATE:
        secret = secret_of(owner).encode()
        told = {
            packet.receiver
            for packet in record
            if packet.room == room and secret in packet.packet.SerializeToString()
        }
        assert told == {AGENT, owner}
