"""The data channels of one participant, with bounded queues."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING

from livekit.protocol import models

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiortc import RTCDataChannel

    from devserver.faults import Faults
    from devserver.limits import Limits

log = logging.getLogger("devserver.data")

RELIABLE_LABEL = "_reliable"
LOSSY_LABEL = "_lossy"
DATA_TRACK_LABEL = "_data_track"
_LABELS = {models.DataPacket.RELIABLE: RELIABLE_LABEL, models.DataPacket.LOSSY: LOSSY_LABEL}
_KINDS = {label: kind for kind, label in _LABELS.items()}
_ALL_LABELS = (*_KINDS, DATA_TRACK_LABEL)


class DataChannels:
    """The reliable channel, the lossy one, and the one for the frames of data tracks.

    A client with one peer connection opens both and receives on them. A client with two sends on
    those that it opens and receives on those that the server opens. Data sent before its channel is
    open waits for it.
    """

    def __init__(
        self,
        limits: Limits,
        faults: Faults,
        receive: Callable[[bytes, models.DataPacket.Kind], None],
        receive_frame: Callable[[bytes], None],
    ) -> None:
        self._limits = limits
        self._faults = faults
        self._receive = receive
        self._receive_frame = receive_frame
        self._channels: dict[str, RTCDataChannel] = {}
        self._waiting: dict[str, list[bytes]] = {}
        self._delayed: deque[tuple[float, bytes, str]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._overflowing = False
        self._closed = False

    def receive_from(self, channel: RTCDataChannel) -> None:
        """Handle the client's data on ``channel``; one of another label is ignored."""
        if channel.label not in _ALL_LABELS:
            return
        kind = _KINDS.get(channel.label)

        def receive(message: str | bytes) -> None:
            if not isinstance(message, bytes):
                return
            if kind is None:
                self._receive_frame(message)
            else:
                self._receive(message, kind)

        channel.on("message", receive)

    def send_on(self, channel: RTCDataChannel) -> None:
        """Use ``channel``, once it is open, for the data that its label names."""
        if channel.label not in _ALL_LABELS:
            return
        if channel.readyState == "open":
            self._opened(channel)
        else:
            channel.on("open", lambda: self._opened(channel))

    def send(self, data: bytes, kind: models.DataPacket.Kind) -> bool:
        """Send ``data``; return whether it is on its way.

        Data past the limit is dropped, reliable data too, as livekit-server does with a reader
        that is too slow.
        """
        if kind == models.DataPacket.LOSSY and self._faults.loses(self._faults.data_loss):
            return False
        label = _LABELS[kind]
        if self._faults.data_delay or self._delayed:
            self._delay(data, label)
            return True
        return self._write(data, label)

    def send_frame(self, frame: bytes) -> None:
        """Send a frame of a data track; one that has no room is lost, as on the lossy channel."""
        if DATA_TRACK_LABEL not in self._channels or self._faults.loses(self._faults.data_loss):
            return
        if self._faults.data_delay or self._delayed:
            self._delay(frame, DATA_TRACK_LABEL)
        else:
            self._write(frame, DATA_TRACK_LABEL)

    def close(self) -> None:
        """Drop all waiting data."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._delayed.clear()
        self._waiting.clear()
        self._channels.clear()

    def _opened(self, channel: RTCDataChannel) -> None:
        if self._closed:
            return
        self._channels[channel.label] = channel
        for data in self._waiting.pop(channel.label, ()):
            self._write(data, channel.label)

    def _write(self, data: bytes, label: str) -> bool:
        channel = self._channels.get(label)
        if channel is None:
            waiting = self._waiting.setdefault(label, [])
            if not self._has_room(data, label, sum(map(len, waiting))):
                return False
            waiting.append(data)
            return True
        if channel.readyState != "open":
            return False
        if not self._has_room(data, label, channel.bufferedAmount):
            return False
        try:
            channel.send(data)
        except ValueError:  # larger than the client accepts
            log.warning("dropped a data packet of %d bytes: the client accepts less", len(data))
            return False
        return True

    def _has_room(self, data: bytes, label: str, queued: int) -> bool:
        limits = self._limits
        reliable = label == RELIABLE_LABEL
        limit = limits.data_queue_size if reliable else limits.lossy_queue_size
        overflowing = queued + len(data) > limit
        if overflowing and not self._overflowing:
            log.warning("dropping data: the client does not read its %s channel", label)
        self._overflowing = overflowing
        return not overflowing

    def _delay(self, data: bytes, label: str) -> None:
        """Send later, in order."""
        loop = asyncio.get_running_loop()
        due = loop.time() + self._faults.data_delay
        if self._delayed:
            due = max(due, self._delayed[-1][0])
        self._delayed.append((due, data, label))
        if self._timer is None:
            self._timer = loop.call_at(due, self._send_due)

    def _send_due(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        while self._delayed and self._delayed[0][0] <= loop.time():
            _, data, label = self._delayed.popleft()
            self._write(data, label)
        if self._delayed:
            self._timer = loop.call_at(self._delayed[0][0], self._send_due)
