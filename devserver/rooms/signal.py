"""Signal: a participant's signal connection, as the participant uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from livekit.protocol import rtc


class Signal(Protocol):
    """Carries SignalResponses to one client, in order."""

    def send(self, response: rtc.SignalResponse) -> None:
        """Queue ``response``, which must not change afterwards."""
        ...

    def close(self) -> None:
        """Close the connection in good order once the queue is sent."""
        ...

    def cut(self) -> None:
        """Break the connection as a failing network does."""
        ...
