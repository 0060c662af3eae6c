"""SpeakingAssistant: the Agent of a session that hears and speaks."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable
from contextlib import aclosing
from functools import partial

from livekit import rtc
from livekit.agents import Agent, ModelSettings, StopResponse, llm, utils
from livekit.agents.voice.generation import update_instructions

from agent.models.assistant import Assistant
from agent.voice.synthesis import synthesized


class SpeakingAssistant(Agent):
    """Answers as an Assistant, passes on recognised speech, and survives failures of its voice.

    `finish_reason` is the model's own for its last request, once that has ended.

    A spoken turn is not answered by the session itself: it takes its place among the messages of
    the room, and is answered as they are.
    """

    def __init__(
        self,
        assistant: Assistant,
        *,
        on_turn: Callable[[str], object],
        on_voice_failure: Callable[[], None],
        on_reasoning: Callable[[str], None],
        counting: Callable[[AsyncIterable[rtc.AudioFrame]], AsyncIterable[rtc.AudioFrame]],
    ) -> None:
        """`counting`: passes sound on; see SpeechUse."""
        super().__init__(
            instructions=assistant.instructions, llm=assistant.model.model, tools=[assistant.tools]
        )
        self.finish_reason: str | None = None
        self._assistant = assistant
        self._on_turn = on_turn
        self._on_voice_failure = on_voice_failure
        self._on_reasoning = on_reasoning
        self._counting = counting

    async def on_user_turn_completed(
        self, turn_ctx: llm.ChatContext, new_message: llm.ChatMessage
    ) -> None:
        """Called by the session when somebody has finished; never lets it answer by itself."""
        self._on_turn(new_message.text_content or "")
        raise StopResponse

    async def llm_node(
        self,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool],
        model_settings: ModelSettings,
    ) -> AsyncIterable[llm.ChatChunk]:
        """Asks the model directly: the session's own retries would wait for a silent model several
        times over, and its node reads each answer in three tasks, for metrics and traces."""
        choice = model_settings.tool_choice
        options = {"tool_choice": choice} if tools and utils.is_given(choice) else {}
        self.finish_reason = None
        assistant = self._assistant
        if assistant.in_session:
            return  # A tool has handed over, and the other agent continues.
        # The turn may have instructions of its own, and a tool may have handed over meanwhile.
        update_instructions(
            chat_ctx, instructions=assistant.instructions, add_if_missing=bool(chat_ctx.items)
        )
        offered = assistant.tools.function_tools if tools else tools
        asked = assistant.model.ask(
            chat_ctx, offered, on_finish=self._on_finish, on_reasoning=self._on_reasoning, **options
        )
        async with aclosing(asked) as answer:
            async for chunk in answer:
                yield chunk

    async def tts_node(
        self, text: AsyncIterable[str], model_settings: ModelSettings
    ) -> AsyncIterable[rtc.AudioFrame]:
        """The framework's own node, whose failures cost nothing but the sound."""
        node = partial(Agent.default.tts_node, self)
        sound = synthesized(node, text, model_settings, self._on_voice_failure)
        async for frame in self._counting(sound):
            yield frame

    def _on_finish(self, reason: str) -> None:
        self.finish_reason = reason
