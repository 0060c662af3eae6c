"""WrappedSpeech: the names of an STT or a TTS that uses another one."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from livekit.agents import stt, tts

Speech = TypeVar("Speech", stt.STT[Any], tts.TTS[Any])


class WrappedSpeech(Generic[Speech]):
    """Inherit from it before the framework's class; metrics and traces then name the wrapped
    one."""

    def __init__(self, wrapped: Speech, **options: Any) -> None:  # noqa: ANN401 - the framework's
        super().__init__(**options)
        self._wrapped: Speech = wrapped

    @property
    def model(self) -> str:
        return self._wrapped.model

    @property
    def provider(self) -> str:
        return self._wrapped.provider
