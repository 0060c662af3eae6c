"""The parts of a text that can be spoken."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable

MAX_HELD = 1_000
"""Characters without a word that wait for one; more are passed on."""


async def aloud(text: AsyncIterable[str]) -> AsyncGenerator[str]:
    """A stream of text, without its beginning and end where they have no letters or digits.

    Of `…` alone nothing is left. Speech services answer such a text with no sound, which the
    framework takes for a failure (livekit-agents, tts/tts.py).
    """
    said, held = False, ""
    async for piece in text:
        held += piece
        end = _after_last_word(held) or (len(held) if len(held) > MAX_HELD else 0)
        if end:
            ready, held = held[:end], held[end:]
            yield ready if said else _from_first_word(ready)
            said = True
    if said and (rest := _punctuation(held)):
        yield rest


def _after_last_word(text: str) -> int:
    return next((index for index in range(len(text), 0, -1) if text[index - 1].isalnum()), 0)


def _from_first_word(text: str) -> str:
    """The text from the word on that has its first letter or digit, with its quotes or brackets."""
    words = text.split()
    silent = next((n for n, word in enumerate(words) if any(map(str.isalnum, word))), 0)
    for word in words[:silent]:
        text = text.lstrip().removeprefix(word)
    return text


def _punctuation(text: str) -> str:
    """The part that belongs to the word before: all up to the first space."""
    return "" if not text or text[0].isspace() else text.split(maxsplit=1)[0]
