"""TolerantStream: streaming recognition whose failures lose only one utterance."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from livekit import rtc
from livekit.agents import APIConnectOptions, stt
from livekit.agents.utils import aio

from agent.voice.floor import Floor
from agent.voice.microphone import LEAD_FRAMES

logger = logging.getLogger(__name__)

ATTEMPTS: Final = APIConnectOptions(max_retry=1, retry_interval=0.5, timeout=10.0)

IDLE: Final = 60.0
"""Seconds without sound after which the connection is closed: many services charge for its time."""

END_TIMEOUT: Final = 5.0
"""Seconds for the last words of a stream."""

LONGEST_LOSS: Final = 30.0
"""Seconds after which a service that failed is tried again, whether or not somebody pauses."""

WORD_TIMEOUT: Final = 10.0
"""Seconds that words may take to become final; the floor waits for them."""

_INTERIM: Final = frozenset(
    {stt.SpeechEventType.INTERIM_TRANSCRIPT, stt.SpeechEventType.PREFLIGHT_TRANSCRIPT}
)


class TolerantStream(stt.RecognizeStream):
    """Connects with the first sound, and reconnects with the next utterance after a failure.

    A session ends its recognition for good where a stream fails. The floor learns that words are
    being recognised: until they are final, it is not free.
    """

    def __init__(
        self,
        owner: stt.STT[Any],
        connect: Callable[[APIConnectOptions], stt.RecognizeStream],
        floor: Floor,
        on_failure: Callable[[], None],
        on_heard: Callable[[float], None],
    ) -> None:
        """`on_heard`: told the seconds of sound that the service was sent, now and then."""
        super().__init__(stt=owner, conn_options=ATTEMPTS)
        self._connect = connect
        self._floor = floor
        self._on_failure = on_failure
        self._on_heard = on_heard
        self._sent = 0.0
        self._is_waiting = False
        self._timer: asyncio.TimerHandle | None = None

    async def _run(self) -> None:
        try:
            beginning = await self._sound()
            while beginning:
                try:
                    await self._recognize(beginning)
                except Exception as error:
                    # The boundary of the app's STT: whatever it raises, others are heard later.
                    logger.warning("speech recognition failed: %s", type(error).__name__)
                    self._understood("")
                    self._on_failure()
                    beginning = await self._next_utterance()
                else:
                    beginning = await self._sound()
        finally:
            self._understood("")

    async def _recognize(self, beginning: Sequence[rtc.AudioFrame]) -> None:
        """Recognises until there is no sound for a while; raises what the STT does."""
        stream = self._connect(ATTEMPTS)
        feeding: asyncio.Task[None] | None = None
        try:
            for frame in beginning:
                self._push(stream, frame)
            feeding = asyncio.create_task(self._feed(stream), name="sound for recognition")
            async for event in stream:
                self._note(event)
                self._event_ch.send_nowait(event)
        finally:
            if feeding is not None:
                await aio.gracefully_cancel(feeding)
            self._tell_sent()
            await stream.aclose()

    async def _feed(self, stream: stt.RecognizeStream) -> None:
        """Passes sound on until there is none for a while, or no more; then ends the stream."""
        with suppress(TimeoutError, RuntimeError):
            # RuntimeError: it has failed meanwhile, which its reader learns.
            while True:
                async with asyncio.timeout(IDLE):
                    data = await self._next()
                if data is None:
                    break
                if isinstance(data, rtc.AudioFrame):
                    self._push(stream, data)
                else:
                    stream.flush()
        with suppress(RuntimeError):
            stream.end_input()
        await asyncio.sleep(END_TIMEOUT)
        await stream.aclose()

    def _push(self, stream: stt.RecognizeStream, frame: rtc.AudioFrame) -> None:
        stream.push_frame(frame)
        self._sent += frame.duration

    def _tell_sent(self) -> None:
        seconds, self._sent = self._sent, 0.0
        if seconds:
            self._on_heard(seconds)

    async def _sound(self) -> Sequence[rtc.AudioFrame]:
        """The next frame, in a list; empty: there will be none."""
        while (data := await self._next()) is not None:
            if isinstance(data, rtc.AudioFrame):
                return (data,)
        return ()

    async def _next(self) -> object | None:
        """A frame, or a mark between two of them; None: there will be none."""
        try:
            return await self._input_ch.recv()
        except aio.ChanClosed:
            return None

    async def _next_utterance(self) -> Sequence[rtc.AudioFrame]:
        """Drops what was said until now, and what follows until the speaker pauses, and waits until
        they speak again, or somebody gets the floor; returns how that begins. Empty: there will be
        no more."""
        while not self._input_ch.empty():
            self._input_ch.recv_nowait()
        floor, given, has_paused = self._floor, self._floor.given, False
        until = time.monotonic() + LONGEST_LOSS
        latest: deque[rtc.AudioFrame] = deque(maxlen=LEAD_FRAMES)
        while (data := await self._next()) is not None:
            if not isinstance(data, rtc.AudioFrame):
                continue
            latest.append(data)
            has_paused = has_paused or not floor.speaking or time.monotonic() > until
            if floor.given != given or (has_paused and floor.speaking):
                return latest
        return ()

    def _note(self, event: stt.SpeechEvent) -> None:
        text = event.alternatives[0].text if event.alternatives else ""
        if event.type in _INTERIM and text:
            self._wait()
        elif event.type is stt.SpeechEventType.FINAL_TRANSCRIPT:
            self._wait()
            self._tell_sent()
            self._understood(text)

    def _wait(self) -> None:
        """Notes that words are being recognised."""
        if not self._is_waiting:
            self._is_waiting = True
            self._floor.recognizing()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(WORD_TIMEOUT, self._understood, "")

    def _understood(self, text: str) -> None:
        """Notes that words are final, or never will be."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._is_waiting:
            self._is_waiting = False
            self._floor.recognized(text)
