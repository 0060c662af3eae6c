"""The STT and TTS of an app for one conversation: errors are its own, connections the process's."""

from __future__ import annotations

import asyncio
from typing import Any

from livekit.agents import APIConnectionError, APIConnectOptions, stt, tts
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, NotGivenOr
from livekit.agents.utils import AudioBuffer

from agent.models.plugin_http import PluginHttp
from agent.models.wrapped_speech import WrappedSpeech


class BorrowedSTT(WrappedSpeech[stt.STT[Any]], stt.STT[Any]):
    """Recognises with an STT that other conversations may use at the same time.

    Args:
        http: the HTTP session of the process.
        is_own: it is closed with this one.
    """

    def __init__(self, wrapped: stt.STT[Any], http: PluginHttp, *, is_own: bool) -> None:
        super().__init__(wrapped, capabilities=wrapped.capabilities)
        self._http = http
        self._is_own = is_own

    async def _recognize_impl(
        self,
        buffer: AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> stt.SpeechEvent:
        once = APIConnectOptions(max_retry=0, timeout=conn_options.timeout)
        recognition = self._wrapped.recognize(buffer, language=language, conn_options=once)
        return await asyncio.create_task(
            recognition, context=self._http.context(), name="recognition"
        )

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> stt.RecognizeStream:
        return self._http.context().run(
            lambda: self._wrapped.stream(language=language, conn_options=conn_options)
        )

    async def aclose(self) -> None:
        if self._is_own:
            await self._wrapped.aclose()


class BorrowedTTS(WrappedSpeech[tts.TTS[Any]], tts.TTS[Any]):
    """Speaks with a TTS that other conversations may use at the same time; arguments as above."""

    def __init__(self, wrapped: tts.TTS[Any], http: PluginHttp, *, is_own: bool) -> None:
        super().__init__(
            wrapped,
            capabilities=wrapped.capabilities,
            sample_rate=wrapped.sample_rate,
            num_channels=wrapped.num_channels,
        )
        self._http = http
        self._is_own = is_own

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        return self._http.context().run(
            lambda: self._wrapped.synthesize(text, conn_options=conn_options)
        )

    def stream(
        self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.SynthesizeStream:
        return self._http.context().run(lambda: self._wrapped.stream(conn_options=conn_options))

    async def aclose(self) -> None:
        if self._is_own:
            await self._wrapped.aclose()


class MissingSTT(stt.STT[Any]):
    """Takes the place of an STT that the app could not make: each utterance is lost."""

    def __init__(self) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=False, interim_results=False))

    async def _recognize_impl(
        self,
        buffer: AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> stt.SpeechEvent:
        raise APIConnectionError("no speech recognition", retryable=False)


class MissingTTS(tts.TTS[Any]):
    """Takes the place of a TTS that the app could not make: answers are in writing only."""

    def __init__(self) -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=False), sample_rate=24_000, num_channels=1
        )

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        raise APIConnectionError("no speech synthesis", retryable=False)
