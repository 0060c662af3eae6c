"""Speech for tests, on this machine: ffmpeg's flite says it, pocketsphinx understands it."""

from __future__ import annotations

import asyncio
import functools
import importlib.util
import multiprocessing
import re
import shutil
import subprocess
from concurrent.futures import ProcessPoolExecutor
from difflib import SequenceMatcher
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]

RATE: Final = 16_000
SAY_WITHIN: Final = 30


@functools.cache
def missing() -> str | None:
    """The requirement for tests with sound that this machine lacks, in one sentence, or None."""
    if (ffmpeg := shutil.which("ffmpeg")) is None:
        return "ffmpeg is not installed (Debian: apt-get install ffmpeg, or make setup-voice)"
    filters = subprocess.run(  # noqa: S603 - a fixed command
        [ffmpeg, "-hide_banner", "-filters"], capture_output=True, text=True, check=False
    )
    if " flite " not in filters.stdout:
        return "this ffmpeg was built without flite (Debian's has it)"
    if importlib.util.find_spec("pocketsphinx") is None:
        return "pocketsphinx is not installed (make setup)"
    return None


async def say(text: str, rate: int = RATE, voice: str = "slt") -> Samples:
    """Synthesises somebody's speech."""
    return await asyncio.to_thread(_say, text, rate, voice)


async def understand(samples: Samples) -> str:
    """Recognises the speech in 16 kHz audio, in lower case.

    In a process of its own, since pocketsphinx keeps Python's lock while it works: nobody could
    send or hear anything meanwhile.
    """
    return await asyncio.get_running_loop().run_in_executor(_recognizer(), _understand, samples)


def resembles(heard: str, said: str) -> bool:
    """Whether most words of what was said are in what was understood.

    The recogniser mishears some, more of them on a busy machine: "pair us", "to my ira".
    """
    words = re.findall(r"\w+", said.lower())
    return 2 * sum(word in heard.lower().split() for word in words) > len(words)


def nearest(heard: str, *said: str) -> str:
    """Of several sentences, the one that was probably said."""
    return max(said, key=lambda each: SequenceMatcher(None, heard.lower(), each.lower()).ratio())


async def get_ready() -> None:
    """Starts the recogniser; the first recognition need not wait for that."""
    await understand(np.zeros(RATE, np.int16))


def close() -> None:
    """Ends the recogniser."""
    if _recognizer.cache_info().currsize:
        _recognizer().shutdown()
        _recognizer.cache_clear()


@functools.cache
def _recognizer() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))


@functools.lru_cache(maxsize=256)
def _say(text: str, rate: int, voice: str) -> Samples:
    # The rest is no syntax of ffmpeg's filters.
    plain = re.sub(r"[^\w\s.?!-]", "", text).strip() or "."
    done = subprocess.run(  # noqa: S603 - see above
        [
            *("ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"flite=text='{plain}':voice={voice}"),
            *("-ar", str(rate), "-ac", "1", "-f", "s16le", "-"),
        ],
        capture_output=True,
        check=True,
        timeout=SAY_WITHIN,
    )
    return np.frombuffer(done.stdout, np.int16)


@functools.cache
def _decoder() -> Any:  # noqa: ANN401 - pocketsphinx has no types
    return importlib.import_module("pocketsphinx").Decoder(samprate=RATE, loglevel="FATAL")


def _understand(samples: Samples) -> str:
    decoder = _decoder()
    decoder.start_utt()
    decoder.process_raw(samples.tobytes(), full_utt=True)
    decoder.end_utt()
    found = decoder.hyp()
    return found.hypstr if found else ""
