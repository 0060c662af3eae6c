"""Text streams and data packets: by requests of the worker's own, or by the SDK's methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from livekit.rtc._proto.ffi_pb2 import FfiRequest

from agent.sdk import native_sending, public_sending
from agent.sdk.patches import PROCESS, has_fields

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from livekit import rtc

    from agent.sdk.outgoing import OutgoingText, Sending

_REQUESTS = {
    "text_stream_open": ("local_participant_handle", "options", "request_async_id"),
    "text_stream_write": ("writer_handle", "text", "request_async_id"),
    "text_stream_close": ("writer_handle", "attributes", "request_async_id"),
    "publish_data": (
        "local_participant_handle",
        "data_ptr",
        "data_len",
        "reliable",
        "topic",
        "destination_identities",
        "request_async_id",
    ),
}
_OPTIONS = ("topic", "attributes", "destination_identities", "id", "sender_identity")


def _fits() -> bool:
    request = FfiRequest()
    return (
        has_fields(request, *_REQUESTS)
        and all(has_fields(getattr(request, kind), *names) for kind, names in _REQUESTS.items())
        and has_fields(request.text_stream_open.options, *_OPTIONS)
    )


_FITS = _fits()


def is_native(room: rtc.Room) -> bool:
    """Whether the worker makes the requests itself."""
    return PROCESS.applies(
        "sending",
        fits=_FITS and hasattr(room.local_participant, "_ffi_handle"),
        instead="text streams and packets are sent by the SDK's own methods",
    )


def open_text(
    room: rtc.Room,
    topic: str,
    attributes: Mapping[str, str],
    listeners: Sequence[str] = (),
    *,
    stream_id: str | None = None,
) -> OutgoingText:
    """Opens a text stream.

    With listeners, its header goes to them alone. Without an id, the SDK makes one up.

    Raises:
        AssertionError: the room is no longer there.
    """
    kind = native_sending.OutgoingText if is_native(room) else public_sending.PublicText
    return kind(room, topic, attributes, listeners, stream_id=stream_id)


def begin_packet(
    room: rtc.Room, data: bytes, *, topic: str, to: Sequence[str], reliable: bool
) -> Sending:
    """Sends a data packet to these identities, or to everybody if there are none.

    Raises:
        AssertionError: the room is no longer there.
    """
    begin = native_sending.begin_packet if is_native(room) else public_sending.begin_packet
    return begin(room, data, topic=topic, to=to, reliable=reliable)
