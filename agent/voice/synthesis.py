"""Speech synthesis whose failures lose the sound, but nothing of the answer."""

from __future__ import annotations

import inspect
import logging
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from typing import TYPE_CHECKING

from livekit import rtc
from livekit.agents import APIError, ModelSettings

from agent.voice.aloud import aloud

if TYPE_CHECKING:
    from livekit.agents.voice.io import TTSNode

logger = logging.getLogger(__name__)


async def synthesized(
    node: TTSNode,
    text: AsyncIterable[str],
    model_settings: ModelSettings,
    on_failure: Callable[[], None],
) -> AsyncGenerator[rtc.AudioFrame]:
    """The frames that an agent's `tts_node` makes of a text, up to where it fails.

    An error here would make the session stop the model in mid-sentence, and forget the answer.
    """
    try:
        frames = node(aloud(text), model_settings)
        if inspect.isawaitable(frames):
            frames = await frames
        if frames is not None:
            async for frame in frames:
                yield frame
    except Exception as error:
        # The boundary around a plugin, or the app's own node. A service's error may quote the text.
        logger.warning(
            "speech synthesis failed; the answer is in writing only: %s",
            type(error).__name__,
            exc_info=None if isinstance(error, APIError) else error,
        )
        on_failure()
        async for _ in text:
            pass
