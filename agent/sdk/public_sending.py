"""Sending by the SDK's public methods: text streams and data packets.

The worker sends so with SDK_PATCHES=off, and where `native_sending` does not fit the SDK.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from agent.sdk.outgoing import Sending

if TYPE_CHECKING:
    from livekit import rtc

_under_way: Final = set[asyncio.Task[Any]]()
"""Keeps tasks until they are done; each is one call of the SDK, which ends with the room."""


class Running(Sending):
    """A call of the SDK that runs in a task of its own."""

    def __init__(self, call: Coroutine[Any, Any, Any]) -> None:
        self._task = asyncio.create_task(call, name="send by the SDK")
        _under_way.add(self._task)
        self._task.add_done_callback(_done)

    @property
    def succeeded(self) -> bool:
        return self._task.done() and not self._task.cancelled() and not self._task.exception()

    async def settled(self) -> Any:  # noqa: ANN401 - each call has its own
        # Cancelling the wait does not cancel the sending.
        return await asyncio.shield(self._task)


def _done(task: asyncio.Task[Any]) -> None:
    _under_way.discard(task)
    if not task.cancelled():
        task.exception()  # The caller may not be interested.


class PublicText:
    """A text stream, opened as soon as it is made. `OutgoingText` describes the methods."""

    def __init__(
        self,
        room: rtc.Room,
        topic: str,
        attributes: Mapping[str, str],
        listeners: Sequence[str] = (),
        *,
        stream_id: str | None = None,
    ) -> None:
        self._opening = Running(
            room.local_participant.stream_text(
                destination_identities=list(listeners),
                topic=topic,
                attributes=dict(attributes),
                stream_id=stream_id,
            )
        )
        self._last: Running = self._opening

    @property
    def is_open(self) -> bool:
        return self._opening.succeeded

    async def opened(self) -> None:
        await self._opening.settled()

    def begin_write(self, text: str) -> Sending:
        self._last = Running(self._write(text, self._last))
        return self._last

    def begin_close(self, attributes: Mapping[str, str]) -> Sending:
        self._last = Running(self._close(dict(attributes), self._last))
        return self._last

    async def _write(self, text: str, before: Running) -> None:
        writer: rtc.TextStreamWriter = await self._opening.settled()
        await before.settled()
        await writer.write(text)

    async def _close(self, attributes: dict[str, str], before: Running) -> None:
        writer: rtc.TextStreamWriter = await self._opening.settled()
        await before.settled()
        await writer.aclose(attributes=attributes)


def begin_packet(
    room: rtc.Room, data: bytes, *, topic: str, to: Sequence[str], reliable: bool
) -> Sending:
    """Sends a data packet to these identities, or to everybody if there are none."""
    return Running(
        room.local_participant.publish_data(
            data, reliable=reliable, destination_identities=list(to), topic=topic
        )
    )
