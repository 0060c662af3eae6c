"""LineEditor: one line that is being typed, and what is shown of it. It knows no terminal."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len

from agent.cli.command import is_visible

MAX_HISTORY: Final = 200
MAX_SHOWN: Final = 60
"""Candidates for a completion that are listed."""

ERASE_LINE: Final = "\r\x1b[K"

_KEY: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|[^\[O])|[^\x00-\x1f\x7f]+|.", re.DOTALL)
"""A key, or text: pasted, it is taken as a whole."""
_PASTE: Final = "\x1b[200~"
_PASTE_END: Final = "\x1b[201~"
"""The terminal sends these around pasted text (xterm: bracketed paste)."""
_SHOWN: Final = str.maketrans({"\n": "↵", "\t": " "})
"""How a line shows what is in a pasted text: each has one column."""
_BEGUN: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|O)?")
"""The incomplete escape sequence of a key."""


@dataclass(frozen=True, slots=True)
class Completion:
    """Candidates that may replace the end of the typed text.

    Attributes:
        length: characters before the cursor that a candidate replaces.
        candidates: sorted.
        ending: follows a candidate that is the only one.
    """

    length: int
    candidates: Sequence[str]
    ending: str = " "


class LineEditor:
    """A line with a cursor, the lines before it, and completion by Tab.

    Args:
        complete: completes what stands before the cursor.
    """

    def __init__(self, prompt: str, complete: Callable[[str], Completion]) -> None:
        self._prompt = prompt
        self._complete = complete
        self._text = ""
        self._at = 0
        self._begun = ""
        self._is_pasting = False
        self._pasted: list[str] = []
        """The pasted text so far."""
        self._history: list[str] = []
        self._back = 0
        """How many lines back in the history; 0: the one that is being typed."""
        self._typed = ""
        """The line being typed, while an earlier one is shown."""
        self._listed: Sequence[str] = ()

    @property
    def text(self) -> str:
        """The text typed so far."""
        return self._text

    def add(self, text: str) -> None:
        """Text at the end, typed while the line was not shown."""
        self._text += "".join(filter(is_visible, text.replace("\t", " ")))
        self._at = len(self._text)

    def feed(self, typed: str) -> tuple[str | None, bool, str]:
        """Takes what is typed, up to the end of a line.

        Returns:
            the line, if it has ended; whether the input has ended (Ctrl-D on an empty line); and
            what was typed after the line.
        """
        typed = self._begun + typed
        self._begun = ""
        at = 0
        while at < len(typed):
            if self._is_pasting:
                at = self._paste(typed, at)
                continue
            if _BEGUN.fullmatch(typed, at):
                self._begun = typed[at:]
                break
            found = _KEY.match(typed, at)
            key = typed[at] if found is None else found.group()
            at += len(key)
            if key in {"\n", "\r"}:
                return self.take(), False, typed[at:]
            if key == "\x04" and not self._text:
                return None, True, ""
            if key == _PASTE:
                self._is_pasting = True
            else:
                self._press(key)
        return None, False, ""

    def _paste(self, typed: str, at: int) -> int:
        """Takes a pasted text up to its end, which is text whatever is in it; returns where that
        was."""
        end = typed.find(_PASTE_END, at)
        if end < 0:
            begun = [n for n in range(1, len(_PASTE_END)) if typed.endswith(_PASTE_END[:n], at)]
            end = len(typed) - max(begun, default=0)
            self._pasted.append(typed[at:end])
            self._begun = typed[end:]
            return len(typed)
        text = "".join([*self._pasted, typed[at:end]]).replace("\r\n", "\n").replace("\r", "\n")
        self._is_pasting, self._pasted = False, []
        self._insert("".join(each for each in text if each in "\n\t" or is_visible(each)))
        return end + len(_PASTE_END)

    def take(self) -> str:
        """Ends the line, which is empty then."""
        line = self._text
        if line.strip() and line not in self._history[-1:]:
            self._history = [*self._history[1 - MAX_HISTORY :], line]
        self._back = 0
        self._put("")
        return line

    def candidates(self) -> Sequence[str]:
        """The candidates to choose from, once after Tab was pressed."""
        listed, self._listed = self._listed, ()
        return listed

    def shown(self, columns: int) -> str:
        """The escape sequences that draw the line: as much of it as fits around the cursor."""
        width = max(columns - cell_len(self._prompt) - 1, 8)
        # No more characters than there are columns: a pasted line may be long.
        text = one_row(self._text)
        before, after = text[: self._at][-width:], text[self._at :][:width]
        while cell_len(before) > width:
            before = before[1:]
        while cell_len(before + after) > width:
            after = after[:-1]
        back = cell_len(after)
        return f"{ERASE_LINE}{self._prompt}{before}{after}" + (f"\x1b[{back}D" if back else "")

    def _press(self, key: str) -> None:
        actions: dict[str, Callable[[], None]] = {
            **dict.fromkeys(("\x7f", "\x08"), lambda: self._delete(self._left(), self._at)),
            **dict.fromkeys(("\x1b[3~", "\x04"), lambda: self._delete(self._at, self._right())),
            **dict.fromkeys(("\x1b[D", "\x1bOD", "\x02"), lambda: self._move(self._left())),
            **dict.fromkeys(("\x1b[C", "\x1bOC", "\x06"), lambda: self._move(self._right())),
            **dict.fromkeys(("\x1b[H", "\x1bOH", "\x1b[1~", "\x01"), lambda: self._move(0)),
            **dict.fromkeys(
                ("\x1b[F", "\x1bOF", "\x1b[4~", "\x05"), lambda: self._move(len(self._text))
            ),
            **dict.fromkeys(("\x1b[A", "\x1bOA", "\x10"), lambda: self._leaf(1)),
            **dict.fromkeys(("\x1b[B", "\x1bOB", "\x0e"), lambda: self._leaf(-1)),
            "\x15": lambda: self._delete(0, self._at),
            "\x0b": lambda: self._delete(self._at, len(self._text)),
            "\x17": lambda: self._delete(self._start_of_word(), self._at),
            "\t": self._tab,
        }
        action = actions.get(key)
        if action is not None:
            action()
        elif key[0] != "\x1b":
            self._insert("".join(filter(is_visible, key)))

    def _insert(self, text: str) -> None:
        self._put(self._text[: self._at] + text + self._text[self._at :], self._at + len(text))

    def _put(self, text: str, at: int | None = None) -> None:
        self._text = text
        self._at = len(text) if at is None else at

    def _move(self, at: int) -> None:
        self._at = at

    def _left(self) -> int:
        """The start of the character before the cursor, which may have combining accents."""
        at = max(self._at - 1, 0)
        while at and _has_no_column(self._text[at]):
            at -= 1
        return at

    def _right(self) -> int:
        at = min(self._at + 1, len(self._text))
        while at < len(self._text) and _has_no_column(self._text[at]):
            at += 1
        return at

    def _delete(self, start: int, end: int) -> None:
        self._put(self._text[:start] + self._text[end:], start)

    def _start_of_word(self) -> int:
        before = self._text[: self._at].rstrip()
        return before.rfind(" ") + 1

    def _leaf(self, by: int) -> None:
        if not self._back:
            self._typed = self._text
        self._back = min(max(self._back + by, 0), len(self._history))
        self._put(self._history[-self._back] if self._back else self._typed)

    def _tab(self) -> None:
        before, after = self._text[: self._at], self._text[self._at :]
        found = self._complete(before)
        if not found.candidates:
            return
        common = common_start(found.candidates)
        kept = before[: len(before) - found.length]
        if len(found.candidates) == 1:
            common += "" if after.startswith(found.ending) else found.ending
        elif len(common) <= found.length:
            self._listed = found.candidates[:MAX_SHOWN]
            return
        self._put(kept + common + after, len(kept + common))


def one_row(text: str) -> str:
    """How a text that may have been pasted is shown."""
    return text.translate(_SHOWN)


def _has_no_column(character: str) -> bool:
    """Whether it belongs to the character before it, as an accent does."""
    return not cell_len(one_row(character))


def common_start(texts: Sequence[str]) -> str:
    """How all of them begin; they are sorted."""
    first, last = texts[0], texts[-1]
    differs = (at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b)
    return first[: next(differs, len(first))]
