"""An STT whose failures lose only one utterance, not the conversation."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from livekit.agents import APIConnectOptions, APIError, stt
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, NotGivenOr
from livekit.agents.utils import AudioBuffer
from livekit.agents.utils.audio import calculate_audio_duration

from agent.models.wrapped_speech import WrappedSpeech
from agent.voice.floor import QUIET, STREAM_QUIET, Floor
from agent.voice.tolerant_stream import ATTEMPTS, TolerantStream

logger = logging.getLogger(__name__)

PATIENCE = 30.0
"""Seconds for all attempts; nobody else is heard meanwhile."""


class TolerantSTT(WrappedSpeech[stt.STT[Any]], stt.STT[Any]):
    """Recognises with another STT; a failure counts as an utterance without words.

    A session ends its recognition for good at an error that is not caught here. The floor learns
    that an utterance is being recognised: until that is done, it is not free. An STT that streams
    is used by its streams.
    """

    def __init__(
        self,
        wrapped: stt.STT[Any],
        floor: Floor,
        on_failure: Callable[[], None],
        on_heard: Callable[[str, str, float], None],
    ) -> None:
        """`on_heard`: see SpeechUse."""
        super().__init__(wrapped, capabilities=wrapped.capabilities)
        self._floor = floor
        self._on_failure = on_failure
        self._on_heard = on_heard
        floor.quiet = STREAM_QUIET if wrapped.capabilities.streaming else QUIET

    async def _recognize_impl(
        self,
        buffer: AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> stt.SpeechEvent:
        text = ""
        self._floor.recognizing()
        try:
            async with asyncio.timeout(PATIENCE):
                event = await self._wrapped.recognize(
                    buffer, language=language, conn_options=ATTEMPTS
                )
            text = event.alternatives[0].text if event.alternatives else ""
            self._heard(calculate_audio_duration(buffer))
        except (APIError, TimeoutError) as error:
            logger.warning("speech recognition failed: %s", type(error).__name__)
            self._on_failure()
            return stt.SpeechEvent(stt.SpeechEventType.FINAL_TRANSCRIPT, alternatives=[])
        finally:
            self._floor.recognized(text)
        return event

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> stt.RecognizeStream:
        def connect(attempts: APIConnectOptions) -> stt.RecognizeStream:
            return self._wrapped.stream(language=language, conn_options=attempts)

        return TolerantStream(self, connect, self._floor, self._on_failure, self._heard)

    def _heard(self, seconds: float) -> None:
        speaker = self._floor.speaker
        self._on_heard("" if speaker is None else speaker.identity, self.model, seconds)

    async def aclose(self) -> None:
        await self._wrapped.aclose()
