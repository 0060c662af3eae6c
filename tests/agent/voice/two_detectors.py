"""Says when speech begins and ends in a file, by either Silero VAD: see test_voice_detection.py.

The file has 16-bit samples, 16,000 a second. A line of JSON: of each detector, pairs of what
happened and at which sample.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from livekit import rtc
from livekit.agents import inference, vad
from livekit.plugins import silero

RATE = 16_000
WINDOW = 512
SILENCE = 0.25


async def events(detector: vad.VAD, samples: bytes) -> list[tuple[str, int]]:
    stream = detector.stream()
    for start in range(0, len(samples) - 2 * WINDOW, 2 * WINDOW):
        piece = samples[start : start + 2 * WINDOW]
        stream.push_frame(rtc.AudioFrame(piece, RATE, 1, WINDOW))
    stream.end_input()
    return [
        (event.type.value, event.samples_index)
        async for event in stream
        if event.type != vad.VADEventType.INFERENCE_DONE
    ]


async def main(file: str) -> None:
    samples = Path(file).read_bytes()  # noqa: ASYNC240 - nothing else is going on
    heard = {
        "built_in": await events(inference.VAD(min_silence_duration=SILENCE), samples),
        "plugin": await events(silero.VAD.load(min_silence_duration=SILENCE), samples),
    }
    print(json.dumps(heard))  # noqa: T201 - for the test


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
