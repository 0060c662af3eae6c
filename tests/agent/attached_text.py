"""A text stream whose header names the files that belong to it, as livekit-client sends one.

The Python SDK has the field and no way to set it: this file alone reaches into its writer.
"""

from __future__ import annotations

from livekit import rtc
from livekit.rtc.data_stream import TextStreamWriter


async def send_with_attachments(
    sender: rtc.LocalParticipant, text: str, stream_ids: list[str], topic: str = "lk.chat"
) -> str:
    """Sends a message with `attached_stream_ids`; returns its id."""
    writer = TextStreamWriter(sender, topic=topic)
    writer._options.attached_stream_ids.extend(stream_ids)  # pyright: ignore[reportPrivateUsage]
    await writer._send_header()  # pyright: ignore[reportPrivateUsage]
    await writer.write(text)
    await writer.aclose()
    return writer.info.stream_id
