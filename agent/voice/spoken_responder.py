"""SpokenResponder: an AgentSession that hears, and answers aloud and in writing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from livekit.agents import AgentSession, APIConnectOptions, llm
from livekit.agents.voice import SpeechHandle
from livekit.agents.voice.agent_session import SessionConnectOptions

from agent.chat.item_times import end_by_now
from agent.config.setting_types import VoiceText
from agent.models.assistant import Assistant
from agent.models.speech import SpeechService
from agent.voice.floor import Floor
from agent.voice.speaking_assistant import SpeakingAssistant
from agent.voice.speech_use import SpeechUse
from agent.voice.spoken_text import SpokenText
from agent.voice.tolerant_stt import TolerantSTT

RENEW_AFTER = 200
"""Answers after which the conversation continues with a fresh session: a session keeps every event
and every item of its history for good."""

NEVER = 2**31
"""Failed answers after which the session closes (its own default is three)."""


@dataclass(frozen=True, slots=True)
class Manner:
    """The voice settings of a room.

    Attributes:
        voice: the room's own, to speak with.
        language: the room's own, that is spoken to the agent: a tag, or a name in English.
        text: when the text of an answer goes out.
        model_timeout: seconds of silence from the model after which an answer has failed.
        max_items: of its history, after which a session is renewed.
    """

    voice: str | None
    language: str | None
    text: VoiceText
    model_timeout: float
    max_items: int

    def by(self, voice: str | None, language: str | None) -> Manner:
        """The same of an agent that has a voice or a language of its own."""
        return replace(self, voice=voice or self.voice, language=language or self.language)


class SpokenResponder:
    """Hears and speaks by one session; runs headless, without RoomIO. Made by RoomVoice."""

    def __init__(  # noqa: PLR0913 - the parts of a session
        self,
        assistant: Assistant,
        speech: SpeechService,
        floor: Floor,
        text: SpokenText,
        *,
        manner: Manner,
        echo_is_known: bool,
        on_turn: Callable[[str], object],
        on_failure: Callable[[str], None],
        use: SpeechUse,
    ) -> None:
        """`echo_is_known`: clients have heard the track before, and cancel its echo."""
        self._floor = floor
        self._text = text
        self._on_failure = on_failure
        self._max_items = manner.max_items
        self._answers = 0
        self._tts = speech.open_tts(manner.voice, manner.language, assistant.tts)
        self._stt = TolerantSTT(
            speech.open_stt(manner.language, assistant.stt),
            floor,
            lambda: on_failure("stt"),
            use.on_heard,
        )
        self._agent = SpeakingAssistant(
            assistant,
            on_turn=on_turn,
            on_voice_failure=self._on_voice_failure,
            on_reasoning=text.think,
            counting=partial(use.counting, self._tts.model),
        )
        options: dict[str, Any] = {"aec_warmup_duration": None} if echo_is_known else {}
        self._session = AgentSession[None](
            vad=speech.open_vad(),
            stt=self._stt,
            tts=self._tts,
            turn_handling=speech.turn_handling(),
            user_away_timeout=None,
            # A session is closed while nobody is listened to, or when the room is left.
            session_close_transcript_timeout=0.0,
            conn_options=SessionConnectOptions(
                llm_conn_options=APIConnectOptions(max_retry=0, timeout=manner.model_timeout),
                tts_conn_options=APIConnectOptions(max_retry=1, retry_interval=0.5, timeout=10.0),
                max_unrecoverable_errors=NEVER,
            ),
            **options,
        )
        self._session.input.audio = floor
        self._session.output.audio = text.audio
        self._session.output.transcription = text

    @property
    def needs_replacement(self) -> bool:
        """Not while somebody is being listened to: a fresh session would cut them off."""
        kept = len(self._session.history.items)
        return not self._floor.taken and (self._answers >= RENEW_AFTER or kept > self._max_items)

    async def start(self) -> None:
        """Begins to listen."""
        await self._session.start(self._agent, record=False, session_host=False)

    async def respond(
        self, before: llm.ChatContext, message: llm.ChatMessage, *, own: bool = False
    ) -> SpokenResponse:
        self._answers += 1
        self._text.begin()
        end_by_now((*before.items, *self._session.history.items))
        await self._agent.update_chat_ctx(before)
        # Only now: the session sorts items, instructions too, by their time of creation.
        message.created_at = time.time()
        handle = self._session.generate_reply(user_input=message, input_modality="text")
        known = {message.id, *(item.id for item in before.items)}
        return SpokenResponse(handle, self._agent, self._text, known)

    async def say(self, text: str) -> SpokenResponse:
        self._answers += 1
        self._text.begin()
        known = {item.id for item in self._agent.chat_ctx.items}
        handle = self._session.say(text)
        return SpokenResponse(handle, self._agent, self._text, known)

    async def aclose(self) -> None:
        await self._session.aclose()
        await self._text.aclose()
        await self._stt.aclose()
        await self._tts.aclose()

    def _on_voice_failure(self) -> None:
        self._text.catch_up()
        self._on_failure("tts")


class SpokenResponse:
    """An answer that is being spoken; see agent.chat.responder.Response."""

    may_be_silent = False

    def __init__(
        self, handle: SpeechHandle, agent: SpeakingAssistant, text: SpokenText, known: set[str]
    ) -> None:
        """`known`: ids of the items that the model had before."""
        self._handle = handle
        self._agent = agent
        self._text = text
        self._known = known

    @property
    def said(self) -> Sequence[llm.ChatItem]:
        items = self._agent.chat_ctx.copy(exclude_instructions=True).items
        return [item for item in items if item.id not in self._known]

    @property
    def finish_reason(self) -> str | None:
        return self._agent.finish_reason

    @property
    def heard(self) -> str:
        """The part that the session keeps: of an interrupted answer, the spoken words."""
        items = self._handle.chat_items
        texts = (item.text_content for item in items if isinstance(item, llm.ChatMessage))
        return "\n\n".join(text for text in texts if text)

    @property
    def interrupted(self) -> bool:
        return self._handle.interrupted

    def interrupt(self, *, force: bool) -> bool:
        self._handle.interrupt(force=True)
        return True

    async def done(self) -> BaseException | None:
        await self._handle
        if not self._handle.interrupted:
            self._text.catch_up()
        return self._handle.exception()
