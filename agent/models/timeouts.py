"""Timeouts of a request to a model, by phase."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. A phase that takes longer fails the request with APITimeoutError."""

    connect: float = 5.0
    """To a connection: a free place in the pool, name resolution, TCP and TLS."""
    first_byte: float = 30.0
    """From the start of the request to the status line of the answer."""
    silence: float = 30.0
    """Between two pieces of the stream; comment lines count as a sign of life."""
    total: float = 600.0
    """The whole request, even if data keeps coming."""

    def __post_init__(self) -> None:
        if min(self.connect, self.first_byte, self.silence, self.total) <= 0:
            raise ValueError(f"timeouts are positive seconds, not {self}")

    def within(self, *, connect: float | None, read: float | None) -> "Timeouts":
        """The shorter of these and the limits of one request; None: no limit."""
        return Timeouts(
            connect=_shorter(self.connect, connect),
            first_byte=_shorter(self.first_byte, read),
            silence=_shorter(self.silence, read),
            total=self.total,
        )


def _shorter(seconds: float, limit: float | None) -> float:
    return seconds if limit is None else min(seconds, limit)
