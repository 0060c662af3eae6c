"""SpeechUse: reports how long a room used its speech services."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable
from dataclasses import dataclass

from livekit import rtc


@dataclass(frozen=True, slots=True)
class SpeechUse:
    """Callbacks for what services are paid for.

    Attributes:
        on_heard: sound was recognised: the speaker's identity, the STT's model, seconds.
        on_spoken: sound was made: the TTS's model, seconds.
    """

    on_heard: Callable[[str, str, float], None]
    on_spoken: Callable[[str, float], None]

    async def counting(
        self, model: str, frames: AsyncIterable[rtc.AudioFrame]
    ) -> AsyncGenerator[rtc.AudioFrame]:
        """The same frames; tells their length when they end, also in the middle."""
        seconds = 0.0
        try:
            async for frame in frames:
                seconds += frame.duration
                yield frame
        finally:
            if seconds:
                self.on_spoken(model, seconds)
