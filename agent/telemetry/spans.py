"""Spans: spans of an answer, if tracing is configured; else no-ops.

Names and attributes are those of OpenTelemetry's conventions for generative AI:
https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/. agent.host.tracing turns spans on.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    Value = str | bool | int | float | Sequence[str]


class Span(Protocol):
    """A span that is open."""

    def set(self, **attributes: Value | None) -> None:
        """Adds attributes, with `__` for the dots of their names; None is left out."""
        ...

    def fail(self, kind: str) -> None:
        """Marks it as failed; `kind` is the `error.type`."""
        ...

    def end(self) -> None:
        """Ends it. Call it once for a span from `begin`."""
        ...


class Tracing(Protocol):
    """Opens spans."""

    def span(self, name: str, **attributes: Value | None) -> AbstractContextManager[Span]:
        """A span that is current, so that spans opened meanwhile are its children."""
        ...

    def begin(self, name: str, **attributes: Value | None) -> Span:
        """A span that is not current, for a generator, whose context is its reader's."""
        ...


class _Nothing:
    """A span that nobody sees."""

    def set(self, **_: Value | None) -> None: ...

    def fail(self, kind: str) -> None: ...

    def end(self) -> None: ...


_NOTHING: Final = _Nothing()
_NO_SPAN: Final[AbstractContextManager[Span]] = nullcontext(_NOTHING)


class _Switch:
    tracing: Tracing | None = None


def turn_on(tracing: Tracing | None) -> None:
    """Sets the tracer that opens spans from now on; None stops tracing."""
    _Switch.tracing = tracing


def span(name: str, **attributes: Value | None) -> AbstractContextManager[Span]:
    """See Tracing.span."""
    tracing = _Switch.tracing
    return _NO_SPAN if tracing is None else tracing.span(name, **attributes)


def begin(name: str, **attributes: Value | None) -> Span:
    """See Tracing.begin."""
    tracing = _Switch.tracing
    return _NOTHING if tracing is None else tracing.begin(name, **attributes)
