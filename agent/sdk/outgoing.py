"""Streams and packets on their way, sent by the worker's own requests or by the SDK's methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class Sending(Protocol):
    """Something on its way into a room."""

    @property
    def succeeded(self) -> bool:
        """Whether it has been sent already."""
        ...

    async def settled(self) -> Any:  # noqa: ANN401 - each kind has its own
        """Returns when it has been sent.

        Raises:
            StreamError: a part of a stream could not be sent.
            PublishDataError: a packet could not be sent.
            AssertionError: the room is gone.
        """
        ...


class OutgoingText(Protocol):
    """A text stream to a room. One write may be under way at a time, and none after the close."""

    @property
    def is_open(self) -> bool: ...

    async def opened(self) -> None:
        """Returns when it is open. Raises StreamError if it could not be opened."""
        ...

    def begin_write(self, text: str) -> Sending:
        """Sends text on the open stream."""
        ...

    def begin_close(self, attributes: Mapping[str, str]) -> Sending:
        """Sends the end of the stream, with attributes of its trailer."""
        ...
