"""Translates errors of the history for a caller."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from agent.history.errors import (
    HistoryError,
    InvalidValueError,
    NotAllowedError,
    NotFoundError,
    UnavailableError,
)
from agent.wire.refusal import Refusal
from toolkit.errors import (
    InvalidArguments,
    NotAllowed,
    NotFound,
    OperationFailed,
    RateLimited,
    ToolError,
    Unavailable,
)

RETRY_AFTER = 5.0


@contextmanager
def told_to_caller(argument: str) -> Generator[None]:
    """Turns errors of the history, and refusals, into those of an RPC method.

    Args:
        argument: wire name of the argument that an invalid value stands in.
    """
    try:
        yield
    except HistoryError as error:
        raise _tool_error(error, argument) from None
    except Refusal as refusal:
        if refusal.code == RateLimited.code:
            raise RateLimited(refusal.sentence, retry_after=refusal.retry_after) from None
        raise InvalidArguments.of({argument: refusal.sentence}) from None


def _tool_error(error: HistoryError, argument: str) -> ToolError:
    if isinstance(error, InvalidValueError):
        return InvalidArguments.of({argument: str(error)})
    if isinstance(error, NotAllowedError):
        return NotAllowed(str(error))
    if isinstance(error, NotFoundError):
        return NotFound("No such message")
    if isinstance(error, UnavailableError):
        return Unavailable("The history is not available right now", retry_after=RETRY_AFTER)
    return OperationFailed()
