"""RoomVoice: one room's ears and voice."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from livekit import rtc
from livekit.rtc.data_stream import StreamError

from agent.inbox.message import Form, IncomingMessage, Sender
from agent.models.assistant import Assistant
from agent.models.speech import SpeechService
from agent.replies.reply_sink import ReplySink
from agent.tasks import Tasks
from agent.unicode_text import well_formed
from agent.voice.floor import Floor
from agent.voice.loudspeaker import Loudspeaker
from agent.voice.microphone import Microphone
from agent.voice.microphones import Microphones
from agent.voice.pre_connect_audio import PreConnectAudio
from agent.voice.room_speech import RoomSpeech
from agent.voice.speech_use import SpeechUse
from agent.voice.spoken_responder import Manner, SpokenResponder
from agent.voice.spoken_text import SpokenText
from agent.wire import legacy_transcription
from agent.wire.attributes import SEGMENT_ID, TRANSCRIBED_TRACK, TRANSCRIPTION_FINAL

logger = logging.getLogger(__name__)

TRANSCRIPTION_TOPIC = "lk.transcription"
SEND_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class VoiceEvents:
    """The callbacks of a voice.

    Attributes:
        on_message: called with each spoken message, which is delivered like a written one.
        on_failure: speech was not recognised (`stt`), or an answer not spoken (`tts`).
        sender: a participant by identity.
        use: of the services.
    """

    on_message: Callable[[IncomingMessage], None]
    on_failure: Callable[[str], None]
    sender: Callable[[str], Sender]
    use: SpeechUse


class RoomVoice:
    """Listens to the room's microphones and speaks on a track of its own."""

    def __init__(
        self,
        room: rtc.Room,
        speech: SpeechService,
        events: VoiceEvents,
        manner: Manner,
        pre_connect_audio: PreConnectAudio,
    ) -> None:
        self._room = room
        self._speech = speech
        self._events = events
        self._manner = manner
        self._has_had_session = False
        self._floor = Floor()
        self._microphones = Microphones(room, self._floor, pre_connect_audio)
        self._loudspeaker = Loudspeaker(room)
        self._transcripts = Tasks()

    @property
    def track_sid(self) -> str | None:
        return self._loudspeaker.track_sid

    @property
    def is_listening(self) -> bool:
        return self._floor.taken

    async def open(self) -> None:
        """Publishes the track and begins to listen; returns when it hears the microphones that
        there are. Raises rtc.PublishTrackError."""
        self._microphones.open()
        await self._loudspeaker.open()
        await self._microphones.subscribed()

    async def open_responder(self, assistant: Assistant, text: ReplySink) -> SpokenResponder:
        """A session that hears the room's microphones, and speaks on its track."""
        goes_on, self._has_had_session = self._has_had_session, True
        responder = SpokenResponder(
            assistant,
            self._speech,
            self._floor,
            SpokenText(text, self._loudspeaker.output(), in_step=self._manner.text == "synced"),
            manner=self._manner.by(assistant.voice, assistant.language),
            echo_is_known=goes_on,
            on_turn=self._on_turn,
            on_failure=self._events.on_failure,
            use=self._events.use,
        )
        await responder.start()
        return responder

    def open_speech(self, assistant: Assistant, text: ReplySink) -> RoomSpeech:
        """The hearing and speech of a livekit Agent's session, until it is closed."""
        manner = self._manner.by(assistant.voice, assistant.language)
        return RoomSpeech(
            self._speech,
            assistant,
            self._floor,
            SpokenText(text, self._loudspeaker.output(), in_step=manner.text == "synced"),
            voice=manner.voice,
            language=manner.language,
            on_turn=self._on_turn,
            on_failure=self._events.on_failure,
            use=self._events.use,
        )

    def listen_to(self, identity: str | None) -> None:
        """Listens to one participant only; None: to everybody."""
        self._floor.listen_to(identity)

    async def until_free(self) -> None:
        """Returns when nobody is being listened to."""
        await self._floor.until_free()

    async def aclose(self) -> None:
        """Stops listening and unpublishes the track; its last responder must be closed already."""
        await self._microphones.aclose()
        self._floor.close()
        await self._transcripts.aclose()
        await self._loudspeaker.aclose()

    def _on_turn(self, text: str) -> str | None:
        """A turn has ended; returns the id of its message. Its speaker is the one who has the
        floor."""
        microphone = self._floor.speaker
        self._floor.turn_over()
        if microphone is None or not text.strip():
            return None
        message = IncomingMessage(
            id=f"SP_{uuid.uuid4().hex[:16]}",
            sender=self._events.sender(microphone.identity),
            text=well_formed(text),
            timestamp=int(time.time() * 1000),
            form=Form.SPEECH,
        )
        self._transcripts.start(self._transcribe(message, microphone), name="transcript")
        self._events.on_message(message)
        return message.id

    async def _transcribe(self, message: IncomingMessage, microphone: Microphone) -> None:
        """Sends a transcript, in the speaker's name."""
        try:
            async with asyncio.timeout(SEND_TIMEOUT):
                writer = await self._room.local_participant.stream_text(
                    topic=TRANSCRIPTION_TOPIC,
                    attributes={
                        SEGMENT_ID: message.id,
                        TRANSCRIBED_TRACK: microphone.track_sid,
                        TRANSCRIPTION_FINAL: "true",
                    },
                    sender_identity=microphone.identity,
                )
                await writer.write(message.text)
                await writer.aclose()
                await legacy_transcription.publish(
                    self._room,
                    microphone.identity,
                    microphone.track_sid,
                    legacy_transcription.segments(message.id, message.text),
                )
        except (StreamError, rtc.participant.PublishTranscriptionError, TimeoutError) as error:
            logger.warning("transcript not sent: %s", error)
