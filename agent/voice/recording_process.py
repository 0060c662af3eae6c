"""The process that decodes a client's recording; see agent/voice/recordings.py.

`-m agent.voice.recording_process FORMAT SECONDS` reads a file of that format (FFmpeg's name) from
standard input and writes at most so many seconds of it to standard output: 16-bit PCM, 16 kHz, one
channel. Exit status 1: it cannot be decoded.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator

import av
import av.subtitles.stream  # pyright: ignore[reportUnusedImport] - av imports it as it goes
from av.error import FFmpegError

from agent.files.confinement import confine

RATE = 16_000
SAMPLE_BYTES = 2


def main(arguments: list[str]) -> int:
    """Decodes the recording; returns the exit status."""
    container_format, seconds = arguments[0], int(arguments[1])
    confine()
    left = seconds * RATE * SAMPLE_BYTES
    try:
        for piece in pcm(sys.stdin.buffer.read(), container_format):
            sys.stdout.buffer.write(piece[:left])
            left -= len(piece)
            if left <= 0:
                break
    except (FFmpegError, ValueError, IndexError) as error:
        print(type(error).__name__, file=sys.stderr)  # noqa: T201 - for the one who waits for it
        return 1
    return 0


def pcm(data: bytes, container_format: str) -> Iterator[bytes]:
    """The first audio stream of a file, resampled, piece by piece."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    with av.open(io.BytesIO(data), "r", format=container_format) as container:
        for frame in container.decode(audio=0):
            for resampled in resampler.resample(frame):
                yield _bytes(resampled)
        for resampled in resampler.resample(None):
            yield _bytes(resampled)


def _bytes(frame: av.AudioFrame) -> bytes:
    return bytes(frame.planes[0])[: frame.samples * SAMPLE_BYTES]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
