"""Mentions: whether a text has one of some names in it, in any script.

Upper and lower case, Unicode forms, widths, format characters and vowel points make no difference.
A name is a word of its own in scripts that put spaces between words. A neighbouring character may
be of another script (`Agent야`, `请agent帮忙`), or be written together with names by the script's
rules.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterable
from itertools import filterfalse, product
from typing import Final

_UNSPACED: Final = frozenset(
    (
        *("BALINESE", "BOPOMOFO", "CJK", "HIRAGANA", "IDEOGRAPHIC", "JAVANESE", "KHMER", "LAO"),
        *("MYANMAR", "THAI", "TIBETAN", "YI"),
    )
)
"""Scripts without spaces between words. Scripts go by the first word of their characters' names."""

_WITH_SUFFIXES: Final = frozenset(
    (
        *("HANGUL", "DEVANAGARI", "BENGALI", "GURMUKHI", "GUJARATI", "ORIYA", "TAMIL", "TELUGU"),
        *("KANNADA", "MALAYALAM", "SINHALA"),
    )
)
"""Scripts of languages that attach particles and cases to the end of a name."""


def _joined(*parts: tuple[str, ...]) -> frozenset[str]:
    return frozenset("".join(each) for each in product(*parts))


_PREFIXES: Final = {
    "HEBREW": _joined(
        ("", "\u05d5"),
        ("", "\u05e9", "\u05db\u05e9", "\u05de\u05e9", "\u05dc\u05db\u05e9"),
        ("", "\u05d4", "\u05d1", "\u05db", "\u05dc", "\u05de"),
    ),
    "ARABIC": _joined(
        ("", "\u0648", "\u0641"),
        ("", "\u0628", "\u0643", "\u0644"),
        ("", "\u0627\u0644"),
    )
    | _joined(("", "\u0648", "\u0641"), ("\u064a\u0627", "\u0644\u0644")),
}
"""Particles that are written together with the name behind them (and, to, in, the, O …)."""

_LONGEST_PREFIX: Final = max(len(each) for prefixes in _PREFIXES.values() for each in prefixes)

_INVISIBLE_BREAKS: Final = str.maketrans(dict.fromkeys("\u200b\u200c", " "))
"""Zero-width characters that may be part of a word, or may end it."""

_IGNORED: Final = frozenset("\u0640\u034f") | frozenset(map(chr, range(0xFE00, 0xFE10)))
"""Arabic tatweel, the combining grapheme joiner, variation selectors."""

_POINTS: Final = range(10, 37)
"""Combining classes of Hebrew, Arabic and Syriac vowel points."""

_MOST_MARKS: Final = 30
"""Combining characters in a row, as in Unicode's Stream-Safe Text Format (UAX 15): sorting them
takes quadratic time."""


class Names:
    """Names that may be mentioned."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = tuple({each: None for each in map(folded, names) if each})

    def are_in(self, text: str) -> bool:
        """Whether the text mentions one of them. It takes linear time."""
        variants = {text, text.translate(_INVISIBLE_BREAKS)}
        return any(_mentions(folded(each), name) for each in variants for name in self._names)


def folded(text: str) -> str:
    """The text in the form in which it is compared."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", "".join(_decomposed(text)))
    return " ".join(text.casefold().split())


def _decomposed(text: str) -> Iterable[str]:
    marks = 0
    for each in text:
        for part in _parts(each):
            marks = marks + 1 if unicodedata.combining(part) else 0
            if marks <= _MOST_MARKS:
                yield part


@functools.lru_cache(maxsize=8_192)
def _parts(character: str) -> str:
    """The comparable part of a character: decomposed, in lower case, without ignored marks."""
    lower = unicodedata.normalize("NFKD", character).casefold()
    return "".join(filterfalse(_is_ignored, unicodedata.normalize("NFKD", lower)))


def _is_ignored(part: str) -> bool:
    return (
        part in _IGNORED
        or unicodedata.combining(part) in _POINTS
        or unicodedata.category(part) == "Cf"
    )


def _mentions(text: str, name: str) -> bool:
    start = text.find(name)
    while start >= 0:
        if _may_start(text, start) and _may_end(text, start + len(name)):
            return True
        start = text.find(name, start + 1)
    return False


def _may_start(text: str, start: int) -> bool:
    if not start or not _is_one_word(text[start], text[start - 1]):
        return True
    script = _script(text[start])
    # Characters from the start of the word to the name, as far as a prefix could reach.
    for length in range(1, _LONGEST_PREFIX + 1) if script in _PREFIXES else ():
        begin = start - length
        if begin <= 0 or not _is_one_word(text[begin], text[begin - 1]):
            return text[max(begin, 0) : start] in _PREFIXES[script]
    return False


def _may_end(text: str, end: int) -> bool:
    if end == len(text):
        return True
    last = text[end - 1]
    return _script(last) in _WITH_SUFFIXES or not _is_one_word(last, text[end])


def _is_one_word(edge: str, beside: str) -> bool:
    """Whether the character beside the edge of a name belongs to the same word."""
    if not _is_of_words(beside) or unicodedata.category(edge) == "So":
        return False
    scripts = {_script(edge), _script(beside)}
    if scripts & _UNSPACED:
        return False
    return len(scripts - {""}) < 2


def _is_of_words(character: str) -> bool:
    category = unicodedata.category(character)
    if category == "Lm":
        return bool(_script(character))  # No apostrophes.
    return category[0] in "LNM" or character == "_"


def _script(character: str) -> str:
    """The script of a letter, as the names of its characters begin; empty for everything that
    is used with many scripts."""
    category = unicodedata.category(character)
    script = unicodedata.name(character, "").partition(" ")[0].partition("-")[0]
    if category[0] not in "LM" or script in ("COMBINING", "MODIFIER", "ENCLOSING"):
        return ""
    return script
