"""The STT and TTS that an app brings: checked when the app is made, made for each conversation."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast

from agent.app.app_error import AppError
from agent.app.maker import check_maker

if TYPE_CHECKING:
    from livekit.agents import stt, tts

SpeechToText: TypeAlias = "stt.STT[Any] | Callable[..., stt.STT[Any]]"
"""Speech recognition: any STT of livekit-agents, or a function that makes one for each
conversation. One with a parameter `language` gets it, as a tag or a name, or None."""

TextToSpeech: TypeAlias = "tts.TTS[Any] | Callable[..., tts.TTS[Any]]"
"""Speech synthesis: any TTS of livekit-agents, or a function that makes one for each conversation.
One with the parameters `voice` or `language` gets them, or None."""

Kind: TypeAlias = Literal["STT", "TTS"]

_PARAMETERS: Final[Mapping[Kind, tuple[str, ...]]] = {
    "STT": ("language",),
    "TTS": ("voice", "language"),
}


def check_speech(where: str, given: object, kind: Kind) -> None:
    """Raises AppError unless this is an STT (or TTS), or a function that may make one."""
    if given is None or _is_made(given, kind):
        return
    if not callable(given):
        raise AppError(
            f"App: {where} is a {type(given).__name__}, expected {kind} of livekit-agents, or a "
            "function that makes one"
        )
    check_maker(where, given, _PARAMETERS[kind])


def make_speech(given: object, kind: Kind, **values: str | None) -> tuple[Any, bool]:
    """The STT or TTS, and whether it was made for the caller, who closes it.

    Args:
        values: those that a function with such parameters gets.

    Raises:
        AppError: the function returned something else.
    """
    if _is_made(given, kind):
        return given, False
    make = cast("Callable[..., object]", given)
    names = inspect.signature(make).parameters
    made = make(**{name: value for name, value in values.items() if name in names})
    if not _is_made(made, kind):
        raise AppError(f"the function returned a {type(made).__name__}, expected {kind}")
    return made, True


def _is_made(given: object, kind: Kind) -> bool:
    # An app that made one has imported it.
    module = sys.modules.get("livekit.agents")
    if module is None:
        return False
    return isinstance(given, module.stt.STT if kind == "STT" else module.tts.TTS)
