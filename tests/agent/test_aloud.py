"""The part of an answer that is sent to be spoken."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from agent.voice.aloud import MAX_HELD, aloud


async def spoken(*pieces: str) -> str:
    async def text() -> AsyncGenerator[str]:
        for piece in pieces:
            yield piece

    return "".join([piece async for piece in aloud(text())])


@pytest.mark.parametrize(
    "text", ["…", "...", "", "   ", "?!", "\u2014", "\U0001f44d", "\n\n* * *\n"]
)
async def test_nothing_is_left_of_a_text_without_words(text: str) -> None:
    assert await spoken(text) == await spoken(*text) == ""


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("Hello.", "Hello."),
        ("… Hello.", " Hello."),
        ("Hello. …", "Hello."),
        ("Hello. … World! \U0001f44d", "Hello. … World!"),
        ("\u201cHello\u201d \u2014 yes", "\u201cHello\u201d \u2014 yes"),
        ("5", "5"),
        ("1 + 1 = 2", "1 + 1 = 2"),
        ("\u4f60\u597d\uff01", "\u4f60\u597d\uff01"),
    ],
)
async def test_words_are_kept_with_what_is_between_them(text: str, rest: str) -> None:
    assert (await spoken(text)).strip() == (await spoken(*text)).strip() == rest.strip()


async def test_buffered_text_is_bounded() -> None:
    assert len(await spoken(*"." * (2 * MAX_HELD))) > MAX_HELD
