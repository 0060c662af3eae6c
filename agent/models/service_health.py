"""ServiceHealth: whether the model service answered when it was last asked."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from livekit.agents import APITimeoutError

from agent.models.openai_errors import is_withheld, status_of
from agent.telemetry.metrics import MODEL_ERRORS

if TYPE_CHECKING:
    from livekit.agents import APIError

FAILURE_LASTS: Final = 60.0
"""Seconds for which a failure counts if nobody asks the service again."""

_FAULTS_OF_A_REQUEST: Final = frozenset({400, 409, 413, 415, 422})
"""Statuses that say nothing about how the service answers other requests."""


class ServiceHealth:
    """The outcome of the last request to a model service. Safe to read from any thread."""

    def __init__(self) -> None:
        self._answered = False
        self._failed_at: float | None = None

    def answered(self) -> None:
        """Notes that the service answered a request."""
        self._answered, self._failed_at = True, None

    def failed(self, error: APIError) -> None:
        """Notes that a request failed. A refusal of its content counts as an answer."""
        MODEL_ERRORS.add(_kind(error))
        if status_of(error) in _FAULTS_OF_A_REQUEST or is_withheld(error):
            self.answered()
        else:
            self._answered, self._failed_at = False, time.monotonic()

    @property
    def works(self) -> bool | None:
        """Whether the last request succeeded; None: there was none, or it failed long ago."""
        if self._answered:
            return True
        failed_at = self._failed_at
        recent = failed_at is not None and time.monotonic() - failed_at < FAILURE_LASTS
        return False if recent else None


def _kind(error: APIError) -> str:
    """A failure as one of a few words."""
    status = status_of(error)
    if status is not None:
        return str(status)
    return "timeout" if isinstance(error, APITimeoutError) else "connection"
