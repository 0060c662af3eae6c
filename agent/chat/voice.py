"""The interface of a voice for conversations; agent.voice implements it, imported on demand."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable
from typing import TYPE_CHECKING, Any, Protocol

from agent.chat.responder import Responder
from agent.models.assistant import Assistant
from agent.replies.reply_sink import ReplySink

if TYPE_CHECKING:
    from livekit import rtc
    from livekit.agents import ModelSettings, stt, tts, vad
    from livekit.agents.inference import TurnDetector
    from livekit.agents.voice.io import AudioInput, AudioOutput, TextOutput, TTSNode


class SessionSpeech(Protocol):
    """The hearing and speech of a livekit Agent's session.

    Attributes:
        ears: its audio input.
        on_turn: called with the words of each spoken turn; returns the id of the message that it
            becomes, None without words.
    """

    stt: stt.STT[Any]
    tts: tts.TTS[Any]
    vad: vad.VAD
    turn_detector: TurnDetector
    ears: AudioInput
    on_turn: Callable[[str], str | None]

    @property
    def text(self) -> TextOutput:
        """The output of its text, immediate or in step with the voice."""
        ...

    @property
    def audio(self) -> AudioOutput:
        """The output of its speech."""
        ...

    def speech_of(
        self, node: TTSNode, text: AsyncIterable[str], model_settings: ModelSettings
    ) -> AsyncIterable[rtc.AudioFrame]:
        """The sound that an agent's own node makes of a text, as far as it does not fail."""
        ...

    def when_unused(self, call: Callable[[], None]) -> None:
        """Registers a callback for speech that does not become a turn."""
        ...

    def begin(self) -> None:
        """An answer begins."""
        ...

    def catch_up(self) -> None:
        """Shows everything that was said so far, and the rest of the answer at once."""
        ...

    async def aclose(self) -> None: ...


class Voice(Protocol):
    """Hearing and speaking of one room."""

    @property
    def track_sid(self) -> str | None:
        """The agent's audio track."""
        ...

    @property
    def is_listening(self) -> bool:
        """Whether somebody is being listened to, or waits to be."""
        ...

    async def open(self) -> None:
        """Begins to listen. Raises rtc.PublishTrackError."""
        ...

    def listen_to(self, identity: str | None) -> None:
        """Listens to one person only; None: to anybody who speaks."""
        ...

    async def until_free(self) -> None:
        """Returns when nobody is being listened to."""
        ...

    async def aclose(self) -> None:
        """Closes the voice; its last responder must be closed already."""
        ...

    async def open_responder(self, assistant: Assistant, text: ReplySink) -> Responder:
        """The responder that hears and answers aloud for a while; at most one at a time."""
        ...

    def open_speech(self, assistant: Assistant, text: ReplySink) -> SessionSpeech:
        """The same for a session that is there already."""
        ...
