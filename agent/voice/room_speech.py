"""RoomSpeech: the hearing and speech of a livekit Agent's session in a room."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from livekit.agents import stt, tts, vad
from livekit.agents.inference import TurnDetector
from livekit.agents.voice.io import AudioInput, AudioOutput, TextOutput

from agent.models.speech import SpeechService
from agent.voice.floor import Floor
from agent.voice.spoken_text import SpokenText
from agent.voice.tolerant_stt import TolerantSTT


class RoomSpeech:
    """See agent.chat.voice.SessionSpeech."""

    def __init__(
        self,
        speech: SpeechService,
        floor: Floor,
        text: SpokenText,
        *,
        voice: str | None,
        language: str | None,
        on_turn: Callable[[str], None],
        on_failure: Callable[[str], None],
    ) -> None:
        self._text = text
        self.stt: stt.STT[Any] = TolerantSTT(
            speech.open_stt(language), floor, lambda: on_failure("stt")
        )
        self.tts: tts.TTS[Any] = speech.open_tts(voice, language)
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

    def begin(self) -> None:
        self._text.begin()

    def catch_up(self) -> None:
        self._text.catch_up()

    async def aclose(self) -> None:
        await self._text.aclose()
        await self.stt.aclose()
        await self.tts.aclose()
