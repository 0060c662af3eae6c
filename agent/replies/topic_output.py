"""An answer as a text stream, to the whole room or to those who came late."""

from __future__ import annotations

from collections.abc import Sequence

from livekit import rtc

from agent.replies.reply_output import Ending, ReplyOutput
from agent.sdk.outgoing import OutgoingText, Sending
from agent.sdk.sending import open_text
from agent.wire.attributes import TRANSCRIPTION_FINAL


class TopicOutput(ReplyOutput):
    """A text stream on one topic, opened with the first text unless it was before.

    With listeners, its header goes to them alone. The content still goes to everybody
    (livekit-rtc), and clients drop chunks of a stream whose header they have not seen.

    Header attributes: `in_reply_to`, `position`, `scope`, `lk.segment_id`,
    `lk.transcription_final=false`; trailer: `lk.transcription_final=true`, `finish_reason`,
    `text_length`, `sha256`, and `heard_length` of an answer that was interrupted while it was
    spoken.
    """

    is_quick = True

    def __init__(
        self,
        room: rtc.Room,
        topic: str,
        attributes: dict[str, str],
        *,
        stream_id: str | None = None,
        window: float = 0.0,
        listeners: Sequence[str] = (),
    ) -> None:
        """Without a stream id, the SDK makes one up."""
        super().__init__(topic)
        self.window = window
        self._room = room
        self._topic = topic
        self._attributes = attributes
        self._stream_id = stream_id
        self._listeners = list(listeners)
        self._stream: OutgoingText | None = None
        self._write: Sending | None = None

    async def prepare(self) -> None:
        self._opened()

    async def ready(self) -> None:
        await self._opened().opened()
        if self._write is not None:
            await self._write.settled()
            self._write = None

    def write_at_once(self, text: str) -> bool:
        stream, before = self._stream, self._write
        if stream is None or not stream.is_open or not (before is None or before.succeeded):
            return False
        self._write = stream.begin_write(text)
        return True

    async def write(self, text: str) -> None:
        self._write = self._opened().begin_write(text)

    async def close(self, ending: Ending) -> None:
        await self._opened().begin_close(trailer(ending)).settled()

    def _opened(self) -> OutgoingText:
        if self._stream is None:
            self._stream = open_text(
                self._room,
                self._topic,
                self._attributes,
                self._listeners,
                stream_id=self._stream_id,
            )
        return self._stream


def trailer(ending: Ending) -> dict[str, str]:
    """The trailer's attributes of a stream to the room."""
    attributes = {
        TRANSCRIPTION_FINAL: "true",
        "finish_reason": ending.finish_reason,
        "text_length": str(ending.text_length),
        "sha256": ending.sha256,
    }
    if ending.heard is not None:
        attributes["heard_length"] = str(len(ending.heard.encode()))
    return attributes
