"""What the SDK's native library keeps of rooms that have been left: with and without RPC methods.

Nobody but the SDK is at work here; one process joins and leaves.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import psutil
from livekit import rtc

from agent import native_log

if TYPE_CHECKING:
    from bench.room_server import RoomServer

AT_ONCE = 3


async def native_growth(server: RoomServer, rooms: int) -> list[dict[str, Any]]:
    """MB that stay in memory of each room, without RPC methods, with one, and with one that is
    unregistered before the room is left."""
    native_log.keep_native()
    await _stays(server, "warm", AT_ONCE * 4)
    points: list[dict[str, Any]] = []
    for methods in ("none", "one", "one, unregistered"):
        before = _memory()
        await _stays(server, methods, rooms)
        points.append({"rpcMethods": methods, "rooms": rooms, "kept": (_memory() - before) / rooms})
    return points


async def _stays(server: RoomServer, methods: str, rooms: int) -> None:
    names = iter([f"native-{os.getpid()}-{methods[:3]}-{number}" for number in range(rooms)])

    async def come_and_go() -> None:
        for name in names:
            await _stay(server, name, methods)

    await asyncio.gather(*(come_and_go() for _ in range(AT_ONCE)))


async def _stay(server: RoomServer, name: str, methods: str) -> None:
    room = rtc.Room()
    await room.connect(server.url, server.token("somebody", name))
    if methods != "none":
        room.local_participant.register_rpc_method("nothing", _nothing)
    if methods.endswith("unregistered"):
        room.local_participant.unregister_rpc_method("nothing")
    await room.disconnect()


async def _nothing(_: rtc.RpcInvocationData) -> str:
    return ""


def _memory() -> float:
    return psutil.Process().memory_full_info().uss / 2**20
