"""Measures the memory that the SDK's native library keeps after rooms have been left.

Only the SDK runs here: for each kind of stay, a process joins and leaves.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import psutil
from livekit import rtc

from agent.sdk import native_log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.room_server import RoomServer

AT_ONCE: Final = 10
SETTLED: Final = 1.5
"""Seconds in which a room's negotiation with the server, for methods and tracks, finishes."""
GIVEN_UP: Final = 12.0
"""Seconds after which nothing of a room waits for the server's answer any more: 10, in the SDK."""


@dataclass(frozen=True, slots=True)
class Stay:
    """The actions in a room before it is left, and the way of leaving it."""

    what: str
    methods: int = 0
    unregister: bool = True
    """The methods; once the room has been left, unless `unregister_first`."""
    unregister_first: bool = False
    seconds: float = SETTLED
    track: bool = False
    unpublish: bool = False
    closed: bool = False
    """By the server."""


STAYS: Final = (
    Stay("nothing"),
    Stay("a method, which stays", methods=1, unregister=False),
    Stay("a method, unregistered before leaving", methods=1, unregister_first=True),
    Stay("a method, unregistered after leaving", methods=1),
    Stay("a method, unregistered after the server closed the room", methods=1, closed=True),
    Stay("20 methods, unregistered after leaving", methods=20),
    Stay("a method, unregistered; left at once", methods=1, seconds=0),
    Stay("a track", track=True),
    Stay("a track, unpublished just before leaving", track=True, unpublish=True),
    Stay("a track, in a room that the server closes", track=True, closed=True),
)


async def native_growth(server: RoomServer, rooms: int) -> list[dict[str, Any]]:
    """MB and threads that each room leaves behind, by what was done in it."""
    loop = asyncio.get_running_loop()
    points: list[dict[str, Any]] = []
    for stay in STAYS:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            points.append(await loop.run_in_executor(process, _growth, server, stay, rooms))
    return points


def _growth(server: RoomServer, stay: Stay, rooms: int) -> dict[str, Any]:
    native_log.keep_native()
    return asyncio.run(_measured(server, stay, rooms))


async def _measured(server: RoomServer, stay: Stay, rooms: int) -> dict[str, Any]:
    names = [f"native-{os.getpid()}-{number}" for number in range(rooms)]
    # The first rooms fill what later ones use again.
    first, others = names[: rooms // 4], names[rooms // 4 :]
    await _stays(server, stay, first)
    before = await _kept()
    await _stays(server, stay, others)
    after = await _kept()
    each = {what: round((after[what] - before[what]) / len(others), 2) for what in after}
    return {"what": stay.what, "rooms": len(others), **each}


async def _stays(server: RoomServer, stay: Stay, rooms: Sequence[str]) -> None:
    names = iter(rooms)

    async def come_and_go() -> None:
        for name in names:
            await _stay(server, stay, name)

    await asyncio.gather(*(come_and_go() for _ in range(AT_ONCE)))


async def _stay(server: RoomServer, stay: Stay, name: str) -> None:
    room = rtc.Room()
    ended = asyncio.Event()
    room.on("disconnected", lambda _: ended.set())  # pyright: ignore[reportUnknownLambdaType]
    await room.connect(server.url, server.token("somebody", name))
    me = room.local_participant
    methods = [f"method-{number}" for number in range(stay.methods)]
    for method in methods:
        me.register_rpc_method(method, _nothing)
    source = await _publish(me) if stay.track else None
    await asyncio.sleep(stay.seconds)
    if stay.unregister_first:
        _unregister(me, methods)
    if stay.unpublish:
        await me.unpublish_track(next(iter(me.track_publications)))
    if stay.closed:
        await server.close(name)
        # A client that misses the news joins again, and has a new room.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GIVEN_UP):
                await ended.wait()
    if source is not None:
        await source.aclose()
    await room.disconnect()
    if stay.unregister and not stay.unregister_first:
        _unregister(me, methods)


async def _publish(me: rtc.LocalParticipant) -> rtc.AudioSource:
    source = rtc.AudioSource(24_000, 1)
    await me.publish_track(rtc.LocalAudioTrack.create_audio_track("nothing", source))
    return source


def _unregister(me: rtc.LocalParticipant, methods: Sequence[str]) -> None:
    for method in methods:
        me.unregister_rpc_method(method)


async def _nothing(_: rtc.RpcInvocationData) -> str:
    return ""


async def _kept() -> dict[str, float]:
    """MB and threads, after the allocator has released what it keeps, where it can."""
    gc.collect()
    await asyncio.sleep(GIVEN_UP)
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
    me = psutil.Process()
    return {"MB": me.memory_full_info().uss / 2**20, "threads": me.num_threads()}
