"""Reads the log of every test, and fails the test whose log has a secret or people's words in it.

Secrets are found by their shapes, and by the values that a test's workers have in their settings.
Words are what people's clients send and get, and what the demo model is sent; each line is looked
for by its beginning and its end, since a log may cut a text off. The log of this process is read,
at level DEBUG, and what workers in processes of their own print.
"""

from __future__ import annotations

import json
import logging
import re
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

NOISY: Final = ("aiortc", "aioice", "devserver", "asyncio", "PIL")
"""Of the tests' side, or of no interest; they log much at DEBUG."""
MAX_RECORDS: Final = 20_000
MAX_LENGTH: Final = 8_000
"""Characters of a record that are read."""
MAX_FRAGMENTS: Final = 20_000
LINES: Final = 50
"""Lines of a text that are looked for."""
SHORTEST: Final = 12
"""Shorter texts, and single words, occur by themselves."""
LENGTH: Final = 24
"""Of a text's beginning and end."""

SHAPES: Final = re.compile(
    r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}"  # a token
    r"|\bsk-[\w-]{5,}"  # a model service's key
    r"|\bBearer [\w.~+/-]{8,}"
    r"|://[^\s/:@\"']*:(?!\*+@)[^\s/@\"']+@"  # a password in a URL
)
_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""Fields of every record."""


class LogGuard(logging.Handler):
    """Collects log records, and the texts that must not be in them, since the last `begin`."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._records: list[str] = []
        self._fragments: set[str] = set()
        self._secrets: set[str] = set()
        self._said: set[str] = set()
        self._reads_words = True

    def begin(self) -> None:
        """Forgets everything, and reads the log from now on."""
        for kept in (self._records, self._fragments, self._secrets, self._said):
            kept.clear()
        self._reads_words = True
        root = logging.getLogger()
        if self not in root.handlers:
            root.addHandler(self)
        root.setLevel(logging.DEBUG)
        for name in NOISY:
            logging.getLogger(name).setLevel(logging.WARNING)

    def allow_words(self) -> None:
        """This test has its worker log content."""
        self._reads_words = False

    def keep_secret(self, *secrets: str) -> None:
        """Values that must not be logged; those that could be ordinary words are left out."""
        self._secrets.update(each for each in secrets if len(each) >= SHORTEST)

    def said(self, *texts: str) -> None:
        """Adds texts of people or of the model."""
        for text in texts:
            if text not in self._said and len(self._fragments) < MAX_FRAGMENTS:
                self._said.add(text)
                self._fragments.update(fragments(text))

    def printed(self, output: str) -> None:
        """Adds the output of a worker process: its lines of JSON are its log, without stacks."""
        for line in output.splitlines():
            if line.startswith("{") and len(self._records) < MAX_RECORDS:
                self._records.append(_unquoted(line)[:MAX_LENGTH])

    def emit(self, record: logging.LogRecord) -> None:
        if len(self._records) < MAX_RECORDS:
            self._records.append(_text(record)[:MAX_LENGTH])

    def found(self) -> list[str]:
        """The records that have what must not be there."""
        log = "\n".join(self._records)
        marks = {each for each in self._secrets if each in log}
        if self._reads_words:
            marks |= {each for each in self._fragments if each in log}
        if not marks and not SHAPES.search(log):
            return []
        return [
            each
            for each in self._records
            if SHAPES.search(each) or any(mark in each for mark in marks)
        ]


def fragments(text: str) -> Iterator[str]:
    """The beginnings and ends of a text's lines, without its author's label before the first."""
    for number, line in enumerate(text.splitlines()[:LINES]):
        unlabelled = line if number else line.partition(": ")[2]
        for each in {line.strip(), unlabelled.strip()}:
            if len(each) >= SHORTEST:
                yield from (part for part in (each[:LENGTH], each[-LENGTH:]) if " " in part.strip())


def strings(value: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    """All texts in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        within = cast("dict[str, Any] | list[Any]", value)
        for each in within.values() if isinstance(within, dict) else within:
            yield from strings(each)


def _text(record: logging.LogRecord) -> str:
    parts = [record.name, record.getMessage()]
    parts += [str(value) for name, value in vars(record).items() if name not in _OWN]
    if record.exc_info and record.exc_info[1]:
        parts += _errors(record.exc_info[1])
    return " ".join(parts)


def _errors(error: BaseException) -> Iterator[str]:
    """An exception and its causes, without the lines of code, which have the tests' texts."""
    seen: set[int] = set()
    reason: BaseException | None = error
    while reason is not None and id(reason) not in seen:
        seen.add(id(reason))
        yield f"{type(reason).__name__}: {reason}"
        if isinstance(reason, BaseExceptionGroup):
            for each in cast("BaseExceptionGroup[BaseException]", reason).exceptions:
                yield from _errors(each)
        reason = reason.__cause__ or reason.__context__


def _unquoted(line: str) -> str:
    """A line of JSON as text; stacks, which have lines of the tests' code, are left out."""
    try:
        fields: dict[str, Any] = json.loads(line)
    except ValueError:
        return line
    fields.pop("exc_info", None)
    return " ".join(strings(fields))


GUARD: Final = LogGuard()
