"""People in rooms with an agent, for the benchmark: `python -m bench.client TOPIC`.

Commands come as lines of JSON on standard input, `{"call": number, "do": name, …}`; each is
answered with a line on standard output, `{"call": number, "result": …}` or
`{"call": number, "error": text}`. Several may be under way at once. Answers are read on TOPIC.
Times are in milliseconds.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from livekit import rtc

from bench import stamps
from bench.pipes import lines_of_stdin
from bench.stamps import Way

STATE = "lk.agent.state"
FILE_EVENTS = ("file.received", "file.refused")
READY = ("listening", "idle")
WITHIN = 60.0
"""Seconds after which something that did not happen is an error."""


@dataclass
class Answer:
    """The timing of one answer.

    Attributes:
        overhead: from the question to the first token, without the model's part of it.
        whole: from the question to the end.
        lags: of each token, from its making to its arrival.
    """

    overhead: float = 0.0
    whole: float = 0.0
    lags: list[float] = field(default_factory=list[float])


class Person:
    """Somebody in a room with an agent."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._room = rtc.Room()
        self._agent = ""
        self._changed = asyncio.Event()
        self._notices: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._readers: asyncio.Queue[rtc.TextStreamReader] = asyncio.Queue()
        self._room.register_text_stream_handler(topic, self._on_stream)
        self._room.on("data_received", self._on_data)
        self._room.on("participant_connected", self._on_participant)
        self._room.on("participant_attributes_changed", self._on_attributes)

    async def join(self, url: str, token: str, *, within: float) -> float | None:
        """Returns how long it took until an agent was ready; None if none was, `within` seconds."""
        begun = time.perf_counter()
        await self._room.connect(url, token)
        try:
            async with asyncio.timeout(within):
                while not (agent := self._find_agent()):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return None
        self._agent = agent
        return _since(begun)

    async def ask(self, tokens: int, delay: float, way: Way = Way.PLAIN) -> Answer:
        asked = await self._say(stamps.question(tokens, delay, way))
        async with asyncio.timeout(WITHIN):
            answer = await _read(await self._readers.get(), asked)
        wanted = tokens // 2 if way is Way.BREAK else tokens
        if len(answer.lags) != wanted:
            raise ValueError(f"{len(answer.lags)} of {wanted} tokens arrived")
        return answer

    async def vanish(self, tokens: int, delay: float) -> None:
        """Asks, and leaves when the answer has begun."""
        await self._say(stamps.question(tokens, delay))
        async with asyncio.timeout(WITHIN):
            await self._readers.get()
        await self.leave()

    async def send_file(self, size: int) -> None:
        """Returns when the agent has the file."""
        content = os.urandom(size // 2).hex().encode()
        writer = await self._room.local_participant.stream_bytes("notes.txt", topic="files")
        await writer.write(content)
        await writer.aclose()
        async with asyncio.timeout(WITHIN):
            while (notice := await self._notices.get())["event"] != "file.received":
                if notice["event"] == "file.refused":
                    raise ValueError(f"the file was refused: {notice['content']}")

    async def call_tools(self) -> None:
        """Calls a tool that answers, and one that fails as it should."""
        await self._call("getCurrentTime", "{}")
        try:
            await self._call("riskyOperation", "data")
        except rtc.RpcError as error:
            if error.code == 500:
                return
            raise
        raise ValueError("riskyOperation did not fail")

    async def _call(self, method: str, payload: str) -> str:
        return await self._room.local_participant.perform_rpc(
            destination_identity=self._agent, method=method, payload=payload
        )

    async def _say(self, text: str) -> int:
        """Returns the time at which that happened."""
        asked = stamps.now()
        await self._room.local_participant.send_text(text, topic="lk.chat")
        return asked

    async def ping(self, times: int) -> list[float]:
        """The durations of so many calls, one after the other."""
        durations: list[float] = []
        for _ in range(times):
            begun = time.perf_counter()
            await self._room.local_participant.perform_rpc(
                destination_identity=self._agent, method="ping", payload="{}"
            )
            durations.append(_since(begun))
        return durations

    async def read_from(self, other: Person, url: str, tokens: tuple[str, str]) -> None:
        """Joins a room without an agent, in which the other client joins, too, and writes a
        token."""
        await self._room.connect(url, tokens[0])
        await other._room.connect(url, tokens[1])
        written = stamps.now()
        await other._room.local_participant.send_text(stamps.token(written), topic=self._topic)
        async with asyncio.timeout(WITHIN):
            await _read(await self._readers.get(), written)

    async def leave(self) -> None:
        await self._room.disconnect()

    def _find_agent(self) -> str | None:
        """The identity of one who is ready."""
        for participant in self._room.remote_participants.values():
            if participant.attributes.get(STATE) in READY:
                return participant.identity
        return None

    def _on_data(self, packet: rtc.DataPacket) -> None:
        if packet.topic == "system":
            notice = json.loads(packet.data)
            if notice.get("event") in FILE_EVENTS:
                self._notices.put_nowait(notice)

    def _on_stream(self, reader: rtc.TextStreamReader, _: str) -> None:
        self._readers.put_nowait(reader)

    def _on_participant(self, _: rtc.RemoteParticipant) -> None:
        self._changed.set()

    def _on_attributes(self, _: dict[str, str], __: rtc.Participant) -> None:
        self._changed.set()


async def _read(reader: rtc.TextStreamReader, asked: int) -> Answer:
    """Reads an answer, without the sentence that an agent adds to one that broke off."""
    answer, rest = Answer(), ""
    async for chunk in reader:
        came = stamps.now()
        said, broke_off, _ = (rest + chunk).partition("\n")
        *tokens, rest = said.split(" ")
        for token in tokens:
            arrived, made = stamps.read_token(token)
            if arrived is not None:
                answer.overhead = (came - asked - (made - arrived)) / 1000
            answer.lags.append((came - made) / 1000)
        if broke_off:
            async for _ in reader:
                pass
            break
    answer.whole = (stamps.now() - asked) / 1000
    return answer


def _since(begun: float) -> float:
    return (time.perf_counter() - begun) * 1000


async def _act(person: Person, command: dict[str, Any]) -> object:
    match command["do"]:
        case "ask":
            way = Way(command["way"])
            return asdict(await person.ask(command["tokens"], command["delay"], way))
        case "ping":
            return await person.ping(command["times"])
        case "send_file":
            return await person.send_file(command["size"])
        case "call_tools":
            return await person.call_tools()
        case other:
            raise ValueError(f"no such command: {other}")


class People:
    """The people of this process, by the name of their room."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._people: dict[str, Person] = {}

    async def do(self, command: dict[str, Any]) -> object:
        """Carries out one command."""
        room = command["room"]
        match command["do"]:
            case "join":
                person = self._people[room] = Person(self._topic)
                return await person.join(command["url"], command["token"], within=command["within"])
            case "rehearse":
                return await self._rehearse(command["url"], command["tokens"])
            case "leave":
                return await self._people.pop(room).leave()
            case "vanish":
                person = self._people.pop(room)
                return await person.vanish(command["tokens"], command["delay"])
            case _:
                return await _act(self._people[room], command)

    async def _rehearse(self, url: str, tokens: tuple[str, str]) -> None:
        """Do everything once before it is measured: the first time takes longer."""
        reader, writer = Person(self._topic), Person(self._topic)
        try:
            await reader.read_from(writer, url, tokens)
        finally:
            await writer.leave()
            await reader.leave()


async def main(topic: str) -> None:
    people, tasks = People(topic), set[asyncio.Task[None]]()
    async for line in lines_of_stdin():
        task = asyncio.create_task(_answer(people, json.loads(line)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


async def _answer(people: People, command: dict[str, Any]) -> None:
    said: dict[str, object] = {"call": command["call"]}
    try:
        said["result"] = await people.do(command)
    except Exception as error:
        # The boundary of a command: the process that gave it gets the error.
        said["error"] = f"{type(error).__name__}: {error}"
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
