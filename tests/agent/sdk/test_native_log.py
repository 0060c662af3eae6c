"""The native SDK's records stay where they are made; and the SDK is the one that this is for."""

from __future__ import annotations

import asyncio
import inspect
import os
import sys

from livekit.rtc import _ffi_client

from tests.room_server import RoomServerUnderTest

JOIN = """
import asyncio, sys
from livekit import rtc
from livekit.rtc import _ffi_client
from agent.sdk import native_log

if sys.argv[3] == "quiet":
    native_log.keep_native()
    native_log.keep_native()
records = 0

def count(level):
    global records
    records += 1

_ffi_client.to_python_level = count

async def main():
    room = rtc.Room()
    await room.connect(sys.argv[1], sys.argv[2])
    await room.local_participant.publish_data(b"hello")
    await room.disconnect()
    print(records, flush=True)

asyncio.run(main())
"""


async def records_of_a_stay(room_server: RoomServerUnderTest, how: str, **environ: str) -> int:
    """The number of records that reach Python while somebody joins a room and leaves it."""
    token = room_server.token("somebody", "native-log")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", JOIN, room_server.url, token, how),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **environ},
    )
    said, _ = await process.communicate()
    return int(said)


async def test_no_record_reaches_python(room_server: RoomServerUnderTest) -> None:
    assert await records_of_a_stay(room_server, "quiet") == 0


async def test_the_sdk_by_itself_hands_them_over(room_server: RoomServerUnderTest) -> None:
    assert await records_of_a_stay(room_server, "as it is") > 0


async def test_debugging_the_sdk_leaves_it_unpatched(room_server: RoomServerUnderTest) -> None:
    assert await records_of_a_stay(room_server, "quiet", LIVEKIT_RTC_DEBUG="1") > 0


def test_the_sdk_initializes_its_library_as_it_did() -> None:
    parameters = (
        "self._ffi_lib.livekit_ffi_initialize(\n"
        '            ffi_event_callback, True, b"python", __version__.encode("ascii")\n'
        "        )"
    )
    source = inspect.getsource(_ffi_client.FfiClient)
    assert parameters in source
    assert "self._ffi_lib = get_ffi_lib()" in source
