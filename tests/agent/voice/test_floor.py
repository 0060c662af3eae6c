"""Floor: frames that a busy loop is late with, and recordings that keep the loop busy."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import cast

from livekit import rtc

from agent.voice.floor import STARVED_AFTER, Floor
from agent.voice.microphone import RATE, Microphone
from agent.voice.microphone_reader import AT_A_TIME, MicrophoneReader

SOUND = rtc.AudioFrame(b"\1\1" * 512, RATE, 1, 512)


OTHER = rtc.AudioFrame(b"\2\2" * 512, RATE, 1, 512)


class Speaking(Microphone):
    """One whose owner speaks, whatever comes from it."""

    def hear(self, frame: rtc.AudioFrame) -> None:
        self.speaking = True


async def test_no_silence_is_put_into_speech_where_the_loop_is_late() -> None:
    floor, alice = Floor(), Speaking("alice", "TR_1")
    floor.add(alice)
    floor.take(alice, SOUND)
    time.sleep(2 * STARVED_AFTER)  # noqa: ASYNC251 - the loop stands still
    # Frames that came meanwhile need some turns of the loop.
    for _ in range(3):
        await asyncio.sleep(0)
    floor.take(alice, SOUND)
    async with asyncio.timeout(5):
        heard = [await anext(floor) for _ in range(3)]
    assert heard[:2] == [SOUND, SOUND]
    # Nothing else comes: that is silence.
    assert not any(heard[2].data)
    floor.close()


class Counting(Floor):
    """Counts frames, and notes how many there were when the loop did something else."""

    def __init__(self) -> None:
        super().__init__()
        self.frames_taken = 0
        self.given_way_at: list[int] = []

    def take(self, microphone: Microphone, frame: rtc.AudioFrame) -> None:
        if not self.frames_taken:
            asyncio.get_running_loop().call_soon(self._note)
        self.frames_taken += 1

    def _note(self) -> None:
        self.given_way_at.append(self.frames_taken)


async def test_a_long_recording_gives_way_to_other_rooms() -> None:
    async def recorded() -> Sequence[rtc.AudioFrame]:
        return [SOUND] * (4 * AT_A_TIME)

    floor, track = Counting(), cast("rtc.Track", None)
    reader = MicrophoneReader(
        floor, Speaking("alice", "TR_1"), track, is_muted=True, recorded=recorded
    )
    await reader.run()
    assert floor.frames_taken == 4 * AT_A_TIME
    assert floor.given_way_at == [AT_A_TIME]


async def test_unused_sound_is_reported_after_it_was_read() -> None:
    floor, alice, bob = Floor(), Speaking("alice", "TR_1"), Speaking("bob", "TR_2")
    floor.quiet = 0.0
    for each in (alice, bob):
        floor.add(each)
    unused: list[rtc.AudioFrame] = []
    heard: list[rtc.AudioFrame] = []
    floor.on_unused = lambda: unused.extend(heard)
    floor.take(alice, SOUND)
    # She is silent, and nothing was understood; meanwhile Bob has begun to speak.
    alice.fall_silent()
    floor.take(bob, OTHER)
    async with asyncio.timeout(5):
        heard += [await anext(floor)]
        assert unused == []
        assert await anext(floor) is OTHER
    assert heard == unused == [SOUND]
    bob.fall_silent()
    floor.turn_over()
    floor.close()
    assert unused == [SOUND]
