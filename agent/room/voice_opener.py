"""VoiceOpener: makes a room's voice, when the room first needs one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from livekit import rtc

from agent.chat.voice import Voice
from agent.config.settings import Settings
from agent.inbox.people import People
from agent.room.message_router import MessageRouter
from agent.room.room_profile import RoomProfile
from agent.voice.pre_connect_audio import PreConnectAudio

if TYPE_CHECKING:
    from agent.models.speech import SpeechService


@dataclass(frozen=True, kw_only=True)
class VoiceOpener:
    """The parts of its room that a voice needs.

    Attributes:
        load_speech: loads the speech models of the process, once.
        on_heard, on_spoken: see SpeechUse.
    """

    room: rtc.Room
    settings: Settings
    profile: RoomProfile
    load_speech: Callable[[], Awaitable[SpeechService]]
    router: MessageRouter
    people: People
    pre_connect_audio: PreConnectAudio
    on_heard: Callable[[str, str, float], None]
    on_spoken: Callable[[str, float], None]

    async def open(self, on_failure: Callable[[str], None]) -> Voice:
        """A voice that is not open; `on_failure` is called with its failures. Raises the errors of
        loading the models."""
        # Imported here: a room without a microphone does not need it.
        from agent.voice.room_voice import RoomVoice, VoiceEvents  # noqa: PLC0415
        from agent.voice.speech_use import SpeechUse  # noqa: PLC0415
        from agent.voice.spoken_responder import Manner  # noqa: PLC0415

        return RoomVoice(
            self.room,
            await self.load_speech(),
            VoiceEvents(
                self.router.deliver_spoken,
                on_failure,
                self.people.known,
                SpeechUse(self.on_heard, self.on_spoken),
            ),
            Manner(
                self.profile.voice,
                self.profile.language,
                self.settings.voice_text,
                model_timeout=self.settings.llm_timeout,
                max_items=self.settings.max_context_messages,
            ),
            self.pre_connect_audio,
        )
