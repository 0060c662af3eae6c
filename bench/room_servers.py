"""The embedded room server beside a livekit-server, in one run.

    .venv/bin/python -m bench.room_servers livekit-server [--joins 1000]

Clients are pairs of the Python SDK in this process, which take turns on both servers. Each server
is a process of its own, on loopback.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from livekit import rtc

from bench.programs import BenchError
from bench.room_server import RoomServer, opened

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from bench.programs import Program

WITHIN: Final = 30.0
TURNS: Final = 40
CALLS_A_TURN: Final = 10
CHUNKS: Final = 5_000
CHUNK: Final = "a chunk of fifty characters, as a model writes them"
ROOMS: Final = 30
TRAFFIC_SECONDS: Final = 10.0
CALL_EVERY: Final = 0.2
AUDIO_STREAMS: Final = 10
RATE: Final = 48_000
JOINS_AT_ONCE: Final = 10
SETTLED_AFTER: Final = 100


@dataclass(slots=True)
class Pair:
    """Two clients in a room: `caller` asks, `callee` answers, and reads streams."""

    caller: rtc.Room
    callee: rtc.Room
    chunks: asyncio.Queue[float] = field(default_factory=asyncio.Queue)
    """The time at which the callee read each chunk."""

    async def call(self) -> float:
        """The milliseconds of one RPC."""
        begun = time.perf_counter()
        await self.caller.local_participant.perform_rpc(
            destination_identity="callee", method="ping", payload="x"
        )
        return (time.perf_counter() - begun) * 1000

    async def first_chunk(self) -> float:
        """The milliseconds from the beginning of a stream to its first chunk."""
        begun = time.perf_counter()
        await self.caller.local_participant.send_text(CHUNK, topic="bench")
        return (await self.chunks.get() - begun) * 1000

    async def chunk_rate(self) -> float:
        """The chunks a second of one long stream."""
        begun = time.perf_counter()
        writer = await self.caller.local_participant.stream_text(topic="bench")
        for _ in range(CHUNKS):
            await writer.write(CHUNK)
        await writer.aclose()
        at = begun
        for _ in range(CHUNKS):
            at = await self.chunks.get()
        return CHUNKS / (at - begun)

    async def close(self) -> None:
        await asyncio.gather(self.caller.disconnect(), self.callee.disconnect())


@dataclass(slots=True)
class Subject:
    """A server, a pair of clients on it, and what was measured."""

    server: RoomServer
    pair: Pair
    calls: list[float] = field(default_factory=list)
    first_chunks: list[float] = field(default_factory=list)

    @property
    def program(self) -> Program:
        if self.server.program is None:
            raise BenchError("both servers have to be started for this run")
        return self.server.program


@contextlib.asynccontextmanager
async def paired(server: RoomServer, room: str) -> AsyncGenerator[Pair]:
    pair = Pair(rtc.Room(), rtc.Room())
    reading: set[asyncio.Task[None]] = set()

    async def read(reader: rtc.TextStreamReader) -> None:
        async for _ in reader:
            pair.chunks.put_nowait(time.perf_counter())

    def handle(reader: rtc.TextStreamReader, identity: str) -> None:
        del identity
        task = asyncio.create_task(read(reader))
        reading.add(task)
        task.add_done_callback(reading.discard)

    async def ping(call: rtc.RpcInvocationData) -> str:
        return call.payload

    pair.callee.register_text_stream_handler("bench", handle)
    arrived = asyncio.Event()

    def arrive(participant: rtc.RemoteParticipant) -> None:
        del participant
        arrived.set()

    pair.caller.on("participant_connected", arrive)
    await pair.callee.connect(server.url, server.token("callee", room))
    pair.callee.local_participant.register_rpc_method("ping", ping)
    await pair.caller.connect(server.url, server.token("caller", room))
    if "callee" not in pair.caller.remote_participants:
        async with asyncio.timeout(WITHIN):
            await arrived.wait()
    try:
        yield pair
    finally:
        await pair.close()


async def start_seconds(choice: str, logs: Path) -> float:
    """The seconds from starting the server's process to its first answer."""
    begun = time.perf_counter()
    async with opened(choice, logs):
        return time.perf_counter() - begun


async def traffic(subject: Subject) -> tuple[list[float], float]:
    """The milliseconds of calls in thirty rooms at once, and the share of a core that the server
    used."""
    async with contextlib.AsyncExitStack() as stack:
        pairs = [
            await stack.enter_async_context(paired(subject.server, f"traffic-{number}"))
            for number in range(ROOMS)
        ]
        calls: list[float] = []
        end = time.perf_counter() + TRAFFIC_SECONDS

        async def talk(pair: Pair, offset: float) -> None:
            await asyncio.sleep(offset)
            while time.perf_counter() < end:
                calls.append(await pair.call())
                await asyncio.sleep(CALL_EVERY)

        before = subject.program.cpu()
        await asyncio.gather(*(talk(pair, CALL_EVERY * n / ROOMS) for n, pair in enumerate(pairs)))
        return calls, (subject.program.cpu() - before) / TRAFFIC_SECONDS


async def audio_share(subject: Subject) -> float:
    """The share of a core that forwarding one audio stream takes, out of ten."""
    async with contextlib.AsyncExitStack() as stack:
        players: list[asyncio.Task[None]] = []
        for number in range(AUDIO_STREAMS):
            pair = await stack.enter_async_context(paired(subject.server, f"audio-{number}"))
            heard = _subscribed(pair.callee)
            source = rtc.AudioSource(RATE, 1)
            track = rtc.LocalAudioTrack.create_audio_track("tone", source)
            await pair.caller.local_participant.publish_track(track)
            players.append(asyncio.create_task(_play(source)))
            async with asyncio.timeout(WITHIN):
                await heard.wait()
        before = subject.program.cpu()
        await asyncio.sleep(TRAFFIC_SECONDS)
        used = subject.program.cpu() - before
        for player in players:
            player.cancel()
        await asyncio.gather(*players, return_exceptions=True)
    return used / TRAFFIC_SECONDS / AUDIO_STREAMS


def _subscribed(room: rtc.Room) -> asyncio.Event:
    """An event that is set when a track comes."""
    event = asyncio.Event()

    def subscribed(
        track: rtc.Track, publication: rtc.RemoteTrackPublication, who: rtc.RemoteParticipant
    ) -> None:
        del track, publication, who
        event.set()

    room.on("track_subscribed", subscribed)
    return event


async def _play(source: rtc.AudioSource) -> None:
    """Play noise, which Opus sends without a pause."""
    samples = RATE // 100
    while True:
        await source.capture_frame(rtc.AudioFrame(os.urandom(2 * samples), RATE, 1, samples))


async def joins(server: RoomServer, count: int) -> str:
    """The memory and descriptors that joins leave behind in the server's process."""
    program = server.program
    assert program is not None

    async def come_and_go(number: int) -> None:
        room = rtc.Room()
        await room.connect(server.url, server.token(f"guest-{number}", f"joins-{number % 10}"))
        await room.disconnect()

    settled: tuple[float, int] | None = None
    for first in range(0, count, JOINS_AT_ONCE):
        await asyncio.gather(*(come_and_go(first + n) for n in range(JOINS_AT_ONCE)))
        if first + JOINS_AT_ONCE == SETTLED_AFTER:
            await program.settle()
            settled = program.memory(), _descriptors(program)
    await program.settle()
    assert settled is not None
    return (
        f"memory {settled[0]:.1f} MB after {SETTLED_AFTER} joins, {program.memory():.1f} MB after "
        f"{count}; descriptors {settled[1]} and {_descriptors(program)}"
    )


def _descriptors(program: Program) -> int:
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in program.processes())


def percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("livekit_server", help="the program to compare with")
    parser.add_argument("--joins", type=int, default=1000)
    arguments = parser.parse_args()
    choices = ("embedded", arguments.livekit_server)
    with tempfile.TemporaryDirectory() as directory:
        logs = Path(directory)
        for choice in choices:
            starts = [await start_seconds(choice, logs) for _ in range(3)]
            print(f"{Path(choice).name}: answers after {statistics.median(starts):.2f} s")
        async with contextlib.AsyncExitStack() as stack:
            subjects: list[Subject] = []
            for choice in choices:
                server = await stack.enter_async_context(opened(choice, logs))
                pair = await stack.enter_async_context(paired(server, "turns"))
                subjects.append(Subject(server, pair))
            await compare(subjects)
            print(f"embedded: {await joins(subjects[0].server, arguments.joins)}")


async def compare(subjects: list[Subject]) -> None:
    """Print the figures of both servers, measured in turns."""
    for turn in range(TURNS + 1):
        for subject in subjects:
            calls = [await subject.pair.call() for _ in range(CALLS_A_TURN)]
            chunks = [await subject.pair.first_chunk() for _ in range(CALLS_A_TURN)]
            if turn:  # the first one warms up
                subject.calls += calls
                subject.first_chunks += chunks
    rates = {
        subject.server.what: statistics.median([await subject.pair.chunk_rate() for _ in range(3)])
        for subject in subjects
    }
    for subject in subjects:
        what = subject.server.what
        print(f"{what}: RPC {_both(subject.calls)}, first chunk {_both(subject.first_chunks)}")
        print(f"{what}: {rates[what]:,.0f} chunks a second")
    for subject in subjects:
        calls, share = await traffic(subject)
        what = f"{subject.server.what}: {ROOMS} rooms, {len(calls)} RPC calls"
        print(f"{what}, {_both(calls)}, {share:.2f} of a core")
    for subject in subjects:
        print(f"{subject.server.what}: audio, {await audio_share(subject):.2%} of a core a stream")


def _both(values: list[float]) -> str:
    return f"p50 {percentile(values, 50):.2f} ms, p99 {percentile(values, 99):.2f} ms"


if __name__ == "__main__":
    asyncio.run(main())
