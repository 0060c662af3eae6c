"""The Assistant of a session that hears and speaks."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterable, Callable
from typing import Any

from livekit import rtc
from livekit.agents import Agent, APIError, ModelSettings, StopResponse, llm

from agent.models.assistant import Assistant

logger = logging.getLogger(__name__)


class SpeakingAssistant(Assistant):
    """Hands on what it hears, and survives its voice.

    A spoken turn is not answered by the session itself: it takes its place among the messages of
    the room, and is answered as they are.
    """

    def __init__(
        self,
        *,
        on_turn: Callable[[str], None],
        on_voice_failure: Callable[[], None],
        **options: Any,  # noqa: ANN401 - Assistant's own
    ) -> None:
        super().__init__(**options)
        self._on_turn = on_turn
        self._on_voice_failure = on_voice_failure

    async def on_user_turn_completed(
        self, turn_ctx: llm.ChatContext, new_message: llm.ChatMessage
    ) -> None:
        """Called by the session when somebody has finished; never lets it answer by itself."""
        self._on_turn(new_message.text_content or "")
        raise StopResponse

    async def tts_node(
        self, text: AsyncIterable[str], model_settings: ModelSettings
    ) -> AsyncIterable[rtc.AudioFrame]:
        """The framework's own node; where it fails, the rest of the answer is not spoken.

        An error here would have the session stop the model in mid-sentence.
        """
        try:
            async for frame in Agent.default.tts_node(self, text, model_settings):
                yield frame
        except APIError as error:
            logger.warning("an answer was not spoken: %s", type(error).__name__)
            self._on_voice_failure()
            async for _ in text:
                pass
