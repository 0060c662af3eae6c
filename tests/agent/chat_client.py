"""A person's app in a room with the agent, over the official SDK."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from livekit import rtc

from tests.log_guard import strings

if TYPE_CHECKING:
    from tests.room_server import RoomServerUnderTest

AGENT = "agent"
WITHIN = 20.0
REPLACED_WITHIN = 40.0
REPLY_TOPICS = ("llm-response", "lk.transcription")
PARTS_TOPIC = "agent.parts"

T = TypeVar("T")


@dataclass
class Answer:
    """A text stream of the agent's, as it came in."""

    topic: str
    stream_id: str
    attributes: dict[str, str]
    sender: str = AGENT
    chunks: list[str] = field(default_factory=list[str])
    trailer: dict[str, str] | None = None

    @property
    def text(self) -> str:
        return "".join(self.chunks)

    @property
    def in_reply_to(self) -> str:
        return self.attributes["in_reply_to"]

    @property
    def finish_reason(self) -> str | None:
        return None if self.trailer is None else self.trailer["finish_reason"]


def merged_parts(text: str) -> list[dict[str, Any]]:
    """The parts that the lines of a stream make, as a client reads them."""
    parts: dict[str, dict[str, Any]] = {}
    for line in text.split("\n")[:-1]:
        part = json.loads(line)
        if "append" in part:
            parts[part["id"]]["text"] += part["append"]
        else:
            parts[part["id"]] = part
    return list(parts.values())


class ChatClient:
    """A room with everything that came in; `until` waits for what a test expects."""

    def __init__(self) -> None:
        self.room = rtc.Room()
        self.answers: list[Answer] = []
        self.transcripts: list[Answer] = []
        """The agent's transcripts of what people say."""
        self.part_streams: list[Answer] = []
        self.packets: list[tuple[str, dict[str, Any]]] = []
        self.states: list[str] = []
        self.sent: list[str] = []
        """Messages, packets and payloads of calls, as they were sent."""
        self._changed = asyncio.Event()
        self._reading: set[asyncio.Task[None]] = set()
        for topic in (*REPLY_TOPICS, PARTS_TOPIC):
            self.room.register_text_stream_handler(topic, self._on_stream)
        self.room.on("data_received", self._on_packet)
        self.room.on("participant_connected", self._on_participant)
        self.room.on("participant_attributes_changed", self._on_attributes)
        self.room.on("participant_disconnected", self._on_change)
        self.room.on("disconnected", self._on_change)

    @property
    def me(self) -> rtc.LocalParticipant:
        return self.room.local_participant

    @property
    def agent(self) -> rtc.RemoteParticipant | None:
        return self.room.remote_participants.get(AGENT)

    @property
    def agent_sid(self) -> str:
        """The agent in the room."""
        assert self.agent is not None
        return self.agent.sid

    async def until(self, condition: Callable[[], T], *, within: float = WITHIN) -> T:
        """The first true result of the condition; `within`: seconds."""
        async with asyncio.timeout(within):
            while not (result := condition()):
                self._changed.clear()
                await self._changed.wait()
            return result

    async def until_ready(self) -> None:
        """The agent is here and its methods can be called."""
        await self.until(lambda: self.agent is not None and "agent.ready" in self.agent.attributes)

    async def outlive(self, server: RoomServerUnderTest) -> None:
        """Makes the room server crash; returns when this client is back, and the agent ready."""
        assert server.embedded is not None
        back = asyncio.Event()
        self.room.on("reconnected", back.set)
        await server.embedded.restart(announced=False)
        async with asyncio.timeout(WITHIN):
            await back.wait()
        await self.until_ready()

    async def until_ready_again(self, former: str) -> None:
        """As `until_ready`, for another agent than that of a session id."""
        # Its lease expires, another one is sent for, perhaps more than once, and joins.
        await self.until(
            lambda: self.agent is not None and self.agent.sid != former, within=REPLACED_WITHIN
        )
        await self.until_ready()

    async def say(self, text: str, *, topic: str = "lk.chat", **attributes: str) -> str:
        """Writes a message; returns its id."""
        self.sent.append(text)
        info = await self.me.send_text(text, topic=topic, attributes=attributes)
        return info.stream_id

    async def ask(self, text: str, *, topic: str = "lk.chat", **attributes: str) -> Answer:
        """Writes a message and waits for the whole answer."""
        return await self.answer_to(await self.say(text, topic=topic, **attributes))

    async def answer_to(self, message_id: str, topic: str = REPLY_TOPICS[0]) -> Answer:
        """The finished answer to a message."""
        return (await self.until(lambda: self.finished(message_id, topic)))[0]

    async def parts_of(self, message_id: str) -> list[dict[str, Any]]:
        """The parts of the answer to a message, once their stream has ended."""

        streams = await self.until(lambda: self.ended_parts(message_id))
        return merged_parts(streams[-1].text)

    def ended_parts(self, message_id: str) -> list[Answer]:
        """The streams of parts of the answers to a message that have ended."""
        return [each for each in self.parts_under_way(message_id) if each.trailer]

    def parts_under_way(self, message_id: str) -> list[Answer]:
        return [each for each in self.part_streams if each.in_reply_to == message_id]

    async def heard(self, number: int = 0) -> Answer:
        """The agent's transcript of a question."""
        return (await self.until(lambda: self._finished_transcripts()[number:]))[0]

    async def begun_answer_to(self, message_id: str) -> Answer:
        """The answer to a message as soon as there is text of it."""
        return (
            await self.until(
                lambda: [a for a in self.answers_to(message_id, REPLY_TOPICS[0]) if a.chunks]
            )
        )[0]

    def _finished_transcripts(self) -> list[Answer]:
        return [each for each in self.transcripts if each.trailer is not None]

    def answers_to(self, message_id: str, topic: str) -> list[Answer]:
        return [a for a in self.answers if a.in_reply_to == message_id and a.topic == topic]

    def finished(self, message_id: str, topic: str = REPLY_TOPICS[0]) -> list[Answer]:
        return [a for a in self.answers_to(message_id, topic) if a.trailer is not None]

    def answered(self) -> set[str]:
        """Ids of the messages that have been answered in full."""
        return {a.in_reply_to for a in self.answers if a.topic == REPLY_TOPICS[0] and a.trailer}

    def received(self, text: str) -> bool:
        """Whether anything that came in has this in it."""
        streams = (answer.text for answer in (*self.answers, *self.part_streams))
        packets = (json.dumps(body, default=repr) for _, body in self.packets)
        return any(text in each for each in (*streams, *packets))

    def words(self) -> list[str]:
        """All texts that were sent, or came from the agent."""
        found = [each.text for each in (*self.answers, *self.transcripts)]
        for sent in self.sent:
            try:
                found += strings(json.loads(sent))
            except (ValueError, RecursionError):
                found.append(sent)
        return found

    async def send_packet(self, payload: bytes | str | dict[str, Any], topic: str = "") -> None:
        """Sends a data packet to everybody, as the apps of old do."""
        data = json.dumps(payload) if isinstance(payload, dict) else payload
        self.sent.append(data if isinstance(data, str) else data.decode(errors="replace"))
        await self.me.publish_data(data, topic=topic)

    async def notice(self, event: str, **expected: object) -> dict[str, Any]:
        """The first `system` packet of this event with these fields."""
        return (await self.until(lambda: self.notices(event, **expected)))[0]

    def notices(self, event: str, **expected: object) -> list[dict[str, Any]]:
        return [
            body
            for topic, body in self.packets
            if topic == "system"
            and body["event"] == event
            and all(body.get(key) == value for key, value in expected.items())
        ]

    async def ask_method(self, method: str, payload: str = "") -> str:
        """Calls a method; returns its answer, wherever that came."""
        response = await self.call(method, payload)
        return await self.packets_of(response) if response.startswith('{"packet":') else response

    async def packets_of(self, response: str) -> str:
        """The answer whose packets a response names."""
        where = json.loads(response)

        def parts() -> list[dict[str, Any]]:
            found = [b for t, b in self.packets if t == "rpc" and b["id"] == where["packet"]]
            return found if len(found) == where["parts"] else []

        return "".join(part["text"] for part in await self.until(parts))

    async def call(self, method: str, payload: str = "", *, timeout: float = 10.0) -> str:  # noqa: ASYNC109 - the SDK's own parameter
        self.sent.append(payload)
        return await self.me.perform_rpc(
            destination_identity=AGENT, method=method, payload=payload, response_timeout=timeout
        )

    def _on_stream(self, reader: rtc.TextStreamReader, identity: str) -> None:
        info = reader.info
        answer = Answer(info.topic, info.stream_id, dict(info.attributes or {}), identity)
        if info.topic == PARTS_TOPIC:
            self.part_streams.append(answer)
        elif "in_reply_to" in answer.attributes:
            self.answers.append(answer)
        else:
            self.transcripts.append(answer)
        task = asyncio.create_task(self._read(reader, answer))
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)

    async def _read(self, reader: rtc.TextStreamReader, answer: Answer) -> None:
        try:
            async for chunk in reader:
                answer.chunks.append(chunk)
                self._changed.set()
            answer.trailer = dict(reader.info.attributes or {})
        except ConnectionError:
            pass  # The room was left in the middle of an answer.
        self._changed.set()

    def _on_packet(self, packet: rtc.DataPacket) -> None:
        try:
            body: Any = json.loads(packet.data)
        except ValueError:
            body = {"raw": packet.data}
        self.packets.append((packet.topic or "", body))
        self._changed.set()

    async def until_sees(self, *others: ChatClient) -> None:
        """The room server has announced the others, to this client and to the agent alike."""
        identities = {other.me.identity for other in others if other is not self}
        await self.until(lambda: identities <= self.room.remote_participants.keys())

    def _on_change(self, _: object) -> None:
        self._changed.set()

    def _on_participant(self, participant: rtc.RemoteParticipant) -> None:
        self._on_attributes(participant.attributes, participant)

    def _on_attributes(self, changed: dict[str, str], participant: rtc.Participant) -> None:
        if participant.identity == AGENT and "lk.agent.state" in changed:
            self.states.append(changed["lk.agent.state"])
        self._changed.set()


async def announced(*people: ChatClient) -> None:
    """Everybody has been announced to everybody, and so to the agent.

    livekit-server announces people without tracks up to three seconds late, and the agent cannot
    take their packets before that.
    """
    for person in people:
        await person.until_sees(*people)
