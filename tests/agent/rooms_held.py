"""How many rooms a worker in the test's process holds."""

from __future__ import annotations

import asyncio

from tests.agent.conftest import Worker


def rooms_held(worker: Worker) -> asyncio.Queue[int]:
    """The number of rooms that a worker holds or joins, at each change."""
    rooms: asyncio.Queue[int] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def changed(held: int) -> None:
        loop.call_soon_threadsafe(rooms.put_nowait, held)

    worker.host.admission.on_rooms_changed = changed
    return rooms
