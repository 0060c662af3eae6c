"""RoomSpeech: the hearing and speech of a livekit Agent's session in a room."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable
from typing import Any

from livekit import rtc
from livekit.agents import ModelSettings, stt, tts, vad
from livekit.agents.inference import TurnDetector
from livekit.agents.voice.io import AudioInput, AudioOutput, TextOutput, TTSNode

from agent.models.assistant import Assistant
from agent.models.speech import SpeechService
from agent.voice.floor import Floor
from agent.voice.speech_use import SpeechUse
from agent.voice.spoken_text import SpokenText
from agent.voice.synthesis import synthesized
from agent.voice.tolerant_stt import TolerantSTT


class RoomSpeech:
    """See agent.chat.voice.SessionSpeech."""

    def __init__(  # noqa: PLR0913 - the parts of a session
        self,
        speech: SpeechService,
        assistant: Assistant,
        floor: Floor,
        text: SpokenText,
        *,
        voice: str | None,
        language: str | None,
        on_turn: Callable[[str], str | None],
        on_failure: Callable[[str], None],
        use: SpeechUse,
    ) -> None:
        self._text = text
        self._floor = floor
        self._on_failure = on_failure
        self._use = use
        self.stt: stt.STT[Any] = TolerantSTT(
            speech.open_stt(language, assistant.stt),
            floor,
            lambda: on_failure("stt"),
            use.on_heard,
        )
        self.tts: tts.TTS[Any] = speech.open_tts(voice, language, assistant.tts)
        self.vad: vad.VAD = speech.open_vad()
        self.turn_detector: TurnDetector = speech.turn_detector()
        self.ears: AudioInput = floor
        self.on_turn = on_turn

    @property
    def text(self) -> TextOutput:
        return self._text

    @property
    def audio(self) -> AudioOutput:
        return self._text.audio

    def speech_of(
        self, node: TTSNode, text: AsyncIterable[str], model_settings: ModelSettings
    ) -> AsyncIterable[rtc.AudioFrame]:
        frames = synthesized(node, text, model_settings, self._on_voice_failure)
        return self._use.counting(self.tts.model, frames)

    def when_unused(self, call: Callable[[], None]) -> None:
        self._floor.on_unused = call

    def begin(self) -> None:
        self._text.begin()

    def catch_up(self) -> None:
        self._text.catch_up()

    async def aclose(self) -> None:
        self._floor.on_unused = None
        await self._text.aclose()
        await self.stt.aclose()
        await self.tts.aclose()

    def _on_voice_failure(self) -> None:
        self._text.catch_up()
        self._on_failure("tts")
