"""One emoji, as keyboards send them."""

from __future__ import annotations

import re
from typing import Final

MAX_LENGTH: Final = 32
"""Code points; the longest families with skin tones have about a dozen."""

# The blocks that hold emoji (Unicode Technical Standard 51), with room for those to come.
_SYMBOL: Final = (
    "["
    "\N{COPYRIGHT SIGN}\N{REGISTERED SIGN}\N{DOUBLE EXCLAMATION MARK}\N{EXCLAMATION QUESTION MARK}"
    "\N{TRADE MARK SIGN}\N{INFORMATION SOURCE}\N{CIRCLED LATIN CAPITAL LETTER M}"
    "\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2900-\u297f\u2b00-\u2bff"
    "\N{WAVY DASH}\N{PART ALTERNATION MARK}"
    "\N{CIRCLED IDEOGRAPH CONGRATULATION}\N{CIRCLED IDEOGRAPH SECRET}"
    "\U0001f000-\U0001f1e5\U0001f200-\U0001faff"
    "]"
)
_SKIN: Final = "[\U0001f3fb-\U0001f3ff]"
_TAGS: Final = "(?:[\U000e0020-\U000e007e]+\U000e007f)"
_FLAG: Final = "[\U0001f1e6-\U0001f1ff]{2}"
_KEYCAP: Final = "[0-9#*]\ufe0f?\u20e3"
_PICTURE: Final = f"{_SYMBOL}\ufe0f?{_SKIN}?{_TAGS}?"
_EMOJI: Final = re.compile(f"{_FLAG}|{_KEYCAP}|{_PICTURE}(?:\u200d{_PICTURE})*")


def is_emoji(text: str) -> bool:
    """Whether the text is one emoji: a picture, a flag, a keycap, or a joined sequence of them."""
    return len(text) <= MAX_LENGTH and _EMOJI.fullmatch(text) is not None
