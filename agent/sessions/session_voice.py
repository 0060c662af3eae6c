"""SessionVoice: lets a session hear and speak while its conversation has a voice."""

from __future__ import annotations

from collections.abc import AsyncIterable, Sequence
from functools import partial
from typing import Any

from livekit.agents import Agent, AgentSession, ModelSettings, StopResponse, llm
from livekit.agents.voice import SpeechHandle

from agent.chat.voice import SessionSpeech, Voice
from agent.models.assistant import Assistant
from agent.replies.reply_sink import ReplySink
from agent.sdk.session_speech import SpeechModels, SpeechSwitch
from agent.sessions.session_text import SessionText


class SessionVoice:
    """Speech to a session takes its place among the room's messages; its answers are spoken on the
    room's track, and written as before."""

    def __init__(self, assistant: Assistant, reply: ReplySink, text: SessionText) -> None:
        self._assistant = assistant
        self._reply = reply
        self._text = text
        self._voice: Voice | None = None
        self._session: AgentSession[Any] | None = None
        self._speech: SessionSpeech | None = None
        self._switch: SpeechSwitch | None = None

    def lead(self, session: AgentSession[Any], agent: Agent) -> None:
        """Starts with a session and its first agent; it hears and speaks if there is a voice."""
        self._session = session
        self._switch = SpeechSwitch(session)
        self.meet(agent)
        self._turn_on()

    async def set(self, voice: Voice | None) -> None:
        """Hears and speaks by this voice from now on; None: no longer. Not within an answer."""
        if voice is self._voice:
            return
        if self._speech is not None and self._session is not None and self._switch is not None:
            self._session.input.audio = None
            self._session.output.audio = None
            self._switch.turn_off()
        await self.aclose()
        self._voice = voice
        self._turn_on()

    async def aclose(self) -> None:
        """Releases the voice; the session has ended, or no longer uses it."""
        speech, self._speech = self._speech, None
        self._text.spoken = None
        if speech is not None:
            await speech.aclose()

    def _turn_on(self) -> None:
        if self._voice is None or self._session is None or self._switch is None:
            return
        self._speech = speech = self._voice.open_speech(self._assistant, self._reply)
        self._switch.turn_on(SpeechModels(speech.stt, speech.tts, speech.vad, speech.turn_detector))
        self._text.spoken = speech.text
        self._session.input.audio = speech.ears
        self._session.output.audio = speech.audio

    def meet(self, agent: Agent) -> None:
        """Call it with each agent before it enters. Speech to the agent is delivered as a message
        instead of being answered at once; speaking its answers may fail."""
        if self._switch is not None:
            self._switch.meet(agent)

        async def heard(turn_ctx: llm.ChatContext, new_message: llm.ChatMessage) -> None:
            if self._speech is not None:
                self._speech.on_turn(new_message.text_content or "")
            raise StopResponse

        own_node = partial(type(agent).tts_node, agent)

        def say(text: AsyncIterable[str], model_settings: ModelSettings) -> Any:  # noqa: ANN401 - its own
            if self._speech is None:
                return own_node(text, model_settings)
            return self._speech.speech_of(own_node, text, model_settings)

        agent.on_user_turn_completed = heard
        agent.tts_node = say

    def begin(self) -> None:
        """An answer begins."""
        if self._speech is not None:
            self._speech.begin()

    def catch_up(self) -> None:
        """An answer has been spoken to its end."""
        if self._speech is not None:
            self._speech.catch_up()

    def heard(self, speeches: Sequence[SpeechHandle]) -> str | None:
        """The text of an answer spoken so far; None: it is in writing."""
        if self._speech is None:
            return None
        items = (item for speech in speeches for item in speech.chat_items)
        texts = (item.text_content for item in items if isinstance(item, llm.ChatMessage))
        return "\n\n".join(text for text in texts if text)
