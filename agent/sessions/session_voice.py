"""SessionVoice: has a session hear and speak while its conversation has a voice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from livekit.agents import Agent, AgentSession, StopResponse, llm
from livekit.agents.voice import SpeechHandle

from agent.chat.voice import SessionSpeech, Voice
from agent.models.assistant import Assistant
from agent.replies.reply_sink import ReplySink
from agent.sdk.session_speech import SpeechModels, give_speech, take_speech
from agent.sessions.session_text import SessionText


class SessionVoice:
    """What is said to a session takes its place among the messages of the room; what it says is
    spoken on the room's track, and written as before."""

    def __init__(self, assistant: Assistant, reply: ReplySink, text: SessionText) -> None:
        self._assistant = assistant
        self._reply = reply
        self._text = text
        self._voice: Voice | None = None
        self._speech: SessionSpeech | None = None
        self._given: SpeechModels | None = None

    async def set(self, voice: Voice | None, session: AgentSession[Any] | None) -> None:
        """Hears and speaks by this voice from now on; None: no longer. Not within an answer."""
        if voice is self._voice:
            return
        await self.take(session)
        self._voice = voice
        if session is not None:
            self.give(session)

    def give(self, session: AgentSession[Any]) -> None:
        """Has a session hear and speak, where there is a voice."""
        if self._voice is None:
            return
        self._speech = speech = self._voice.open_speech(self._assistant, self._reply)
        self._given = give_speech(
            session, SpeechModels(speech.stt, speech.tts, speech.vad, speech.turn_detector)
        )
        self._text.spoken = speech.text
        session.input.audio = speech.ears
        session.output.audio = speech.audio

    async def take(self, session: AgentSession[Any] | None) -> None:
        """Takes the voice from a session, if it has one."""
        speech, self._speech = self._speech, None
        if speech is None:
            return
        self._text.spoken = None
        if session is not None:
            session.input.audio = None
            session.output.audio = None
            if self._given is not None:
                take_speech(session, self._given)
        await speech.aclose()

    def listen_for(self, agent: Agent) -> None:
        """Has what is said to an agent delivered as a message, in place of answering it at once."""

        async def heard(turn_ctx: llm.ChatContext, new_message: llm.ChatMessage) -> None:
            if self._speech is not None:
                self._speech.on_turn(new_message.text_content or "")
            raise StopResponse

        agent.on_user_turn_completed = heard

    def begin(self) -> None:
        """An answer begins."""
        if self._speech is not None:
            self._speech.begin()

    def catch_up(self) -> None:
        """An answer has been spoken to its end."""
        if self._speech is not None:
            self._speech.catch_up()

    def heard(self, speeches: Sequence[SpeechHandle]) -> str | None:
        """How much of an answer has been said; None: it is in writing."""
        if self._speech is None:
            return None
        items = (item for speech in speeches for item in speech.chat_items)
        texts = (item.text_content for item in items if isinstance(item, llm.ChatMessage))
        return "\n\n".join(text for text in texts if text)
