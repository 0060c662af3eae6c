"""The VAD that the worker runs is Silero's: it says what livekit-plugins-silero says."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import numpy as np
from livekit.local_inference import VAD_WINDOW_SAMPLES

from tests.agent.voice.speech import RATE, say

ROOT = Path(__file__).parents[3]


async def test_both_hear_speech_at_the_same_time(tmp_path: Path) -> None:
    silence = np.zeros(RATE, np.int16)
    words = await say("what is the weather in Paris")
    sound = tmp_path / "sound.raw"
    sound.write_bytes(np.concatenate([silence, words, silence]).tobytes())
    # In a process of its own: onnxruntime calls its maker's servers unless that is disabled first.
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.agent.voice.two_detectors", str(sound)),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "ORT_DISABLE_TELEMETRY": "1"},
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    heard = json.loads(said)
    for each in heard.values():
        assert [kind for kind, _ in each] == ["start_of_speech", "end_of_speech"]
    moments = np.array([[moment for _, moment in each] for each in heard.values()])
    # The plugin smooths what the model says, which delays it by a frame.
    assert np.abs(moments[0] - moments[1]).max() <= VAD_WINDOW_SAMPLES
