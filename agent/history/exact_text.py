"""Text that every database returns exactly as it was stored."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from sqlalchemy import Text
from sqlalchemy.types import TypeDecorator

from agent.unicode_text import well_formed

if TYPE_CHECKING:
    from sqlalchemy import Dialect

_ESCAPE: Final = "\x1a"
_ESCAPED_NUL: Final = _ESCAPE + "0"
_ESCAPED: Final = re.compile(f"{_ESCAPE}([0{_ESCAPE}])")


class ExactText(TypeDecorator[str]):
    """Text of any characters. In the database it reads as it is, but for two characters.

    Postgres has no NUL in text: NUL is kept as U+001A and `0`, U+001A itself as two of it. Half a
    surrogate pair is no character and has no UTF-8 form: U+FFFD takes its place for good, as when
    a browser encodes it.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else escape(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else unescape(value)


def escape(text: str) -> str:
    """The text in its stored form."""
    text = well_formed(text)
    if _ESCAPE in text:
        text = text.replace(_ESCAPE, _ESCAPE * 2)
    return text.replace("\0", _ESCAPED_NUL)


def unescape(text: str) -> str:
    """The text that `escape` was given."""
    if _ESCAPE not in text:
        return text
    return _ESCAPED.sub(lambda match: "\0" if match[1] == "0" else _ESCAPE, text)
