"""Text from outside, made safe to send, to store and to show beside somebody's name.

JSON can carry half of a surrogate pair (`"\\ud83d"`), which no UTF-8 encoder takes. Such text fails
long after it was received: when a packet is encoded, a row is written, or the model is called. So
it is checked once, where it is received. Text from people is refused (`has_half_pair`); in text
from programs (models, MCP servers, speech recognition, metadata) the half is replaced by U+FFFD, as
browsers do.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

REPLACEMENT: Final = "\ufffd"

_SURROGATE: Final = re.compile("[\ud800-\udfff]")

_ESCAPES: Final = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})"
    r"|.)",
    re.DOTALL,
)
"""Each escape in JSON text: a whole surrogate pair, half of one, or any other."""

JOINERS: Final = frozenset("\u200c\u200d")
"""Format characters that names need: Persian and Indic spelling, and emoji made of several."""

_LINE_ENDS: Final = frozenset({"Cc", "Zl", "Zp"})
"""Categories of control characters and line ends."""


def is_well_formed(text: str) -> bool:
    """Whether the text can be encoded: it has no half of a surrogate pair."""
    return text.isascii() or _SURROGATE.search(text) is None


def well_formed(text: str) -> str:
    """The text with halves of surrogate pairs replaced; two halves in a row become the character
    that they stand for."""
    if is_well_formed(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def has_half_pair(json_text: str) -> bool:
    """Whether JSON text has an escape that is half of a surrogate pair."""
    if "\\u" not in json_text:
        return False
    return any(escape["half"] for escape in _ESCAPES.finditer(json_text))


def well_formed_json(json_text: str) -> str:
    """JSON text with the escapes of half surrogate pairs replaced."""
    if "\\u" not in json_text:
        return json_text
    return _ESCAPES.sub(lambda escape: "\\ufffd" if escape["half"] else escape[0], json_text)


def one_line(text: str) -> str:
    """Text for a place that has one line for it, such as a display name.

    Format characters, such as those that turn the direction of writing, are removed. Line ends and
    control characters count as white space, and runs of white space become one space.
    """
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()
    return " ".join("".join(map(_on_a_line, well_formed(text))).split())


def _on_a_line(character: str) -> str:
    category = unicodedata.category(character)
    if category in _LINE_ENDS:
        return " "
    return "" if category == "Cf" and character not in JOINERS else character
