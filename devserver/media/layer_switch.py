"""One stream for a subscriber, out of the simulcast layers of a track."""

from __future__ import annotations

import time
from dataclasses import dataclass

from devserver.media.frames import PictureNumbers, begins_keyframe, picture_numbers, renumbered

_VP8 = "video/vp8"
_CLOCK_RATE = 90_000


@dataclass(slots=True)
class StreamPacket:
    """A packet as the subscriber gets it."""

    sequence_number: int
    timestamp: int
    payload: bytes


class LayerSwitch:
    """Changes from one layer to another at key frames, and numbers the packets through.

    Sequence numbers, timestamps and VP8's pictures of each layer begin somewhere else
    (livekit-server: pkg/sfu/forwarder.go, pkg/sfu/codecmunger/vp8.go).
    """

    def __init__(self) -> None:
        self.layer: int | None = None
        """The layer that is being forwarded; None until a key frame comes."""
        self._last: StreamPacket | None = None
        self._last_numbers = PictureNumbers()
        self._last_at = 0.0
        self._sequence_offset = self._timestamp_offset = 0
        self._number_offsets = PictureNumbers(0, 0)

    def leave(self) -> None:
        """Forward nothing until the next key frame."""
        self.layer = None

    def take(
        self, packet: StreamPacket, mime_type: str, *, layer: int, wanted: int
    ) -> StreamPacket | None:
        """Return ``packet`` of ``layer`` for the subscriber, who wants another; None to drop it."""
        numbers = picture_numbers(packet.payload) if mime_type.lower() == _VP8 else PictureNumbers()
        if layer == wanted != self.layer and begins_keyframe(packet.payload, mime_type):
            self.layer = layer
            self._continue_with(packet, numbers)
        if layer != self.layer:
            return None
        return self._numbered(packet, numbers)

    def _continue_with(self, packet: StreamPacket, numbers: PictureNumbers) -> None:
        """Let the first packet of a layer follow the last one of the former layer."""
        last = self._last
        if last is None:
            return
        passed = max(1, int((time.monotonic() - self._last_at) * _CLOCK_RATE))
        self._sequence_offset = last.sequence_number + 1 - packet.sequence_number
        self._timestamp_offset = last.timestamp + passed - packet.timestamp
        self._number_offsets = PictureNumbers(
            _following(self._last_numbers.picture, numbers.picture),
            _following(self._last_numbers.base_layer, numbers.base_layer),
        )

    def _numbered(self, packet: StreamPacket, numbers: PictureNumbers) -> StreamPacket:
        offsets = self._number_offsets
        mine = PictureNumbers(
            _moved(numbers.picture, offsets.picture), _moved(numbers.base_layer, offsets.base_layer)
        )
        payload = packet.payload
        if mine != numbers:
            payload = renumbered(payload, mine)
        sent = StreamPacket(
            (packet.sequence_number + self._sequence_offset) & 0xFFFF,
            (packet.timestamp + self._timestamp_offset) & 0xFFFFFFFF,
            payload,
        )
        last = self._last
        if last is None or (sent.sequence_number - last.sequence_number) & 0xFFFF < 0x8000:
            self._last, self._last_numbers, self._last_at = sent, mine, time.monotonic()
        return sent


def _following(last: int | None, first: int | None) -> int:
    return last + 1 - first if last is not None and first is not None else 0


def _moved(number: int | None, offset: int | None) -> int | None:
    return None if number is None else (number + (offset or 0)) & 0x7FFF
