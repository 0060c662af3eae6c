"""SessionVoice: lets a session hear and speak while its conversation has a voice."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Sequence
from typing import Any, Protocol, TypeAlias

from livekit.agents import Agent, AgentSession, ModelSettings, StopResponse, llm
from livekit.agents.voice import SpeechHandle

from agent.chat.voice import SessionSpeech, Voice
from agent.models.assistant import Assistant
from agent.replies.reply_sink import ReplySink
from agent.sdk.room_realtime import clear_sound
from agent.sdk.session_speech import SpeechModels, SpeechSwitch
from agent.sessions.session_text import SessionText

Node: TypeAlias = Callable[[AsyncIterable[str], ModelSettings], Any]


class OnTurn(Protocol):
    """An agent's `on_user_turn_completed`."""

    async def __call__(self, turn_ctx: llm.ChatContext, new_message: llm.ChatMessage) -> None: ...


def turn_end_of(agent: Agent) -> OnTurn:
    """The agent's own `on_user_turn_completed`."""
    found: OnTurn = agent.on_user_turn_completed
    return found.own if isinstance(found, _Delivery) else found


class _Delivery:
    """Takes the place of an agent's `on_user_turn_completed`, and delivers what was said."""

    def __init__(self, own: OnTurn, deliver: Callable[[str], None]) -> None:
        self.own = own
        self._deliver = deliver

    async def __call__(self, turn_ctx: llm.ChatContext, new_message: llm.ChatMessage) -> None:
        self._deliver(new_message.text_content or "")
        raise StopResponse


class _Speaking:
    """Takes the place of an agent's `tts_node`, which may fail."""

    def __init__(self, own: Node, speech: Callable[[], SessionSpeech | None]) -> None:
        self.own = own
        self._speech = speech

    def __call__(self, text: AsyncIterable[str], model_settings: ModelSettings) -> Any:  # noqa: ANN401 - its own
        speech = self._speech()
        if speech is None:
            return self.own(text, model_settings)
        return speech.speech_of(self.own, text, model_settings)


class SessionVoice:
    """Speech to a session takes its place among the room's messages; its answers are spoken on the
    room's track, and written as before."""

    def __init__(
        self,
        assistant: Assistant,
        reply: ReplySink,
        text: SessionText,
        on_turn: Callable[[str | None], None],
    ) -> None:
        """`on_turn`: called after each spoken turn with the id of the message that it has become,
        None without words."""
        self._assistant = assistant
        self._reply = reply
        self._text = text
        self._on_turn = on_turn
        self._voice: Voice | None = None
        self._session: AgentSession[Any] | None = None
        self._speech: SessionSpeech | None = None
        self._switch: SpeechSwitch | None = None

    def lead(self, session: AgentSession[Any], agent: Agent, *, aloud: bool) -> None:
        """Starts with a session and its first agent.

        Args:
            aloud: it hears and speaks, if there is a voice; else only from `turn_on` on.
        """
        self._session = session
        self._switch = SpeechSwitch(session)
        self.meet(agent)
        if aloud:
            self.turn_on()

    async def set(self, voice: Voice | None) -> None:
        """Hears and speaks by this voice from now on; None: no longer. Not within an answer."""
        if voice is self._voice:
            return
        if self._speech is not None and self._session is not None and self._switch is not None:
            self._session.input.audio = None
            self._session.output.audio = None
            self._switch.turn_off()
            self._drop_sound()
        await self.aclose()
        self._voice = voice
        self.turn_on()

    async def aclose(self) -> None:
        """Releases the voice; the session has ended, or no longer uses it."""
        speech, self._speech = self._speech, None
        self._text.spoken = None
        if speech is not None:
            await speech.aclose()

    def turn_on(self) -> None:
        """Hears and speaks from now on, if there is a voice and it does not yet."""
        if self._voice is None or self._session is None or self._switch is None:
            return
        if self._speech is not None:
            return
        self._speech = speech = self._voice.open_speech(self._assistant, self._reply)
        self._switch.turn_on(SpeechModels(speech.stt, speech.tts, speech.vad, speech.turn_detector))
        self._text.spoken = speech.text
        speech.when_unused(self._drop_sound)
        self._session.input.audio = speech.ears
        self._session.output.audio = speech.audio

    def meet(self, agent: Agent) -> None:
        """Call it with each agent before it enters. Speech to the agent is delivered as a message
        instead of being answered at once; speaking its answers may fail."""
        if self._switch is not None:
            self._switch.meet(agent)

        # Its own may be the class's, or one that it, or a plugin, has set on the instance.
        node: Node = agent.tts_node
        own_node = node.own if isinstance(node, _Speaking) else node
        agent.tts_node = _Speaking(own_node, lambda: self._speech)
        agent.on_user_turn_completed = _Delivery(turn_end_of(agent), self._deliver)

    def _deliver(self, said: str) -> None:
        if self._speech is not None:
            self._on_turn(self._speech.on_turn(said))

    def _drop_sound(self) -> None:
        """Discards sound that did not become a turn; otherwise the realtime service would add it to
        the next speaker's turn."""
        if self._session is not None:
            clear_sound(self._session)

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
