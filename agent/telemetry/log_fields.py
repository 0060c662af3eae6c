"""Fields of log records: the room, thread, message and call that a line is about.

A task of a room, an answer or a call has them in its context, and every record made there gets
them, whichever library logs it.
"""

from __future__ import annotations

import contextlib
import logging
from contextvars import Context, ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

_NONE: Final[Mapping[str, str]] = {}
_fields: Final[ContextVar[Mapping[str, str]]] = ContextVar("log_fields", default=_NONE)

trace_ids: Callable[[], Mapping[str, str]] | None = None
"""Adds the ids of the current span; None if tracing is off."""


def bind(**fields: str) -> None:
    """Adds these fields to the records of this context, and of tasks that are started in it."""
    _fields.set({**_fields.get(), **fields})


@contextlib.contextmanager
def bound(**fields: str) -> Generator[None]:
    """The same within a `with` block."""
    token = _fields.set({**_fields.get(), **fields})
    try:
        yield
    finally:
        _fields.reset(token)


def separate_context(**fields: str) -> Context:
    """A new context with only the fields of this one, and the given ones."""
    context = Context()
    context.run(_fields.set, {**_fields.get(), **fields})
    return context


def current() -> Mapping[str, str]:
    """The fields of this context."""
    return _fields.get()


class _AddFields(logging.Filter):
    """A filter for handlers, since filters of loggers do not see the records of child loggers. A
    record's existing fields stay."""

    def filter(self, record: logging.LogRecord) -> bool:
        for name, value in _fields.get().items():
            if not hasattr(record, name):
                setattr(record, name, value)
        if trace_ids is not None:
            for name, value in trace_ids().items():
                setattr(record, name, value)
        return True


ADD_FIELDS: Final = _AddFields()


def add_to_handlers() -> None:
    """Makes all handlers of the root logger write the fields."""
    for handler in logging.getLogger().handlers:
        if ADD_FIELDS not in handler.filters:
            handler.addFilter(ADD_FIELDS)
