"""Recognises markup and JSON by how a text begins.

Anybody can send a text here, so this reads forwards only: each step either consumes characters or
ends the scan. A regular expression for comments between other things backtracks exponentially.
"""

from __future__ import annotations

from typing import Final

HTML: Final = "text/html"
SVG: Final = "image/svg+xml"
XML: Final = "application/xml"
JSON: Final = "application/json"

_HTML_STARTS: Final = ("<!doctype html", "<html")
_JSON_STARTS: Final = {"{": '"}', "[": '[{"]'}
"""By the first character: those that may follow it, so that `[1] a reference` stays text."""


def markup_type(text: str) -> str | None:
    """The MIME type of a text in one of these formats; None for any other text."""
    start = _skip_space(text, 0)
    if text[start : start + len(_HTML_STARTS[0])].lower().startswith(_HTML_STARTS):
        return HTML
    if _starts_word(text, "<svg", _skip_prolog(text, start)):
        return SVG
    if _starts_word(text, "<?xml", start):
        return XML
    return JSON if _is_json(text, start) else None


def _is_json(text: str, start: int) -> bool:
    followers = _JSON_STARTS.get(text[start : start + 1])
    if followers is None:
        return False
    second = text[_skip_space(text, start + 1) :][:1]
    return bool(second) and second in followers


def _skip_prolog(text: str, position: int) -> int:
    """Skips an XML declaration, comments and the blanks between them."""
    if text.startswith("<?xml", position):
        position = _skip_past(text, ">", position)
    position = _skip_space(text, position)
    while text.startswith("<!--", position):
        position = _skip_space(text, _skip_past(text, "-->", position + len("<!--")))
    return position


def _skip_past(text: str, mark: str, position: int) -> int:
    found = text.find(mark, position)
    return len(text) if found < 0 else found + len(mark)


def _skip_space(text: str, position: int) -> int:
    while position < len(text) and text[position].isspace():
        position += 1
    return position


def _starts_word(text: str, word: str, position: int) -> bool:
    if not text.startswith(word, position):
        return False
    following = text[position + len(word) :][:1]
    return not (following.isalnum() or following == "_")
