"""Errors of tools, with texts for the model and the caller.

A `ToolError` is written for its reader: its message and its details may be shown to the model and
to the caller. The cause of an error (`raise ... from error`) is for the log alone.
"""

# ruff: noqa: N818 - named after the event, which reads best in `raise` and `except`.

from collections.abc import Mapping
from typing import ClassVar, Self


class ToolError(Exception):
    """A failure with a message that the model and the caller may read.

    Raise one of the subclasses; each says what kind of failure it is.

    Attributes:
        code: the kind of failure as an RPC error code, outside LiveKit's own 1001 to 1999.
        message: one short sentence.
        retry_after: seconds after which a new attempt makes sense, if that is known.
        fields: what is wrong with the arguments, by wire name of the argument.
    """

    code: ClassVar[int] = 500

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after
        self.fields: dict[str, str] = dict(fields or {})

    @property
    def details(self) -> dict[str, object]:
        """Details for programs, ready for JSON: `{"fields": {...}, "retryAfter": seconds}`."""
        details: dict[str, object] = {}
        if self.fields:
            details["fields"] = dict(self.fields)
        if self.retry_after is not None:
            details["retryAfter"] = self.retry_after
        return details


class InvalidArguments(ToolError):
    """The arguments are not valid; `fields` has the expectation for each wrong one."""

    code = 400

    @classmethod
    def of(cls, fields: Mapping[str, str]) -> Self:
        """An InvalidArguments error that names each wrong argument."""
        wrong = "; ".join(f"{name}: {what}" for name, what in fields.items())
        return cls(f"Invalid arguments: {wrong}", fields=fields)


class NotAllowed(ToolError):
    """The caller may not do this."""

    code = 403


class NotFound(ToolError):
    """The thing that was asked for does not exist."""

    code = 404


class Conflict(ToolError):
    """The expected state has changed meanwhile."""

    code = 409


class TooLarge(ToolError):
    """The arguments or the result are over a limit."""

    code = 413


class RateLimited(ToolError):
    """Too many calls; `retry_after` says when to come back."""

    code = 429


class OperationFailed(ToolError):
    """An internal failure; its details are never shown."""

    code = 500

    def __init__(self) -> None:
        super().__init__("Operation failed")


class Unavailable(ToolError):
    """Something that the tool depends on cannot be reached."""

    code = 503


class TimedOut(ToolError):
    """The tool took longer than it may."""

    code = 504


class StorageFull(ToolError):
    """There is no space left for the tool's data."""

    code = 507
