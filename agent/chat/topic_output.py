"""An answer as a text stream, to the whole room or to those who came late."""

from __future__ import annotations

from collections.abc import Sequence

from livekit import rtc
from livekit.rtc.data_stream import TextStreamWriter

from agent import native_events
from agent.chat.reply_output import TRANSCRIPTION_FINAL, Ending, ReplyOutput


class TopicOutput(ReplyOutput):
    """A text stream on one topic, opened with the first text unless it was before.

    With listeners, its header goes to them alone. The content goes to everybody all the same
    (livekit-rtc), and clients drop what belongs to a stream whose header they have not seen.

    Header attributes: `in_reply_to`, `scope`, `lk.segment_id`, `lk.transcription_final=false`;
    trailer: `lk.transcription_final=true`, `finish_reason`, `text_length`, `sha256`, and
    `heard_length` of an answer that was interrupted while it was spoken.
    """

    def __init__(
        self,
        room: rtc.Room,
        topic: str,
        attributes: dict[str, str],
        *,
        window: float = 0.0,
        listeners: Sequence[str] = (),
    ) -> None:
        super().__init__(topic)
        self.window = window
        self._room = room
        self._topic = topic
        self._attributes = attributes
        self._listeners = list(listeners)
        self._writer: TextStreamWriter | None = None
        self._write: native_events.Write | None = None

    async def prepare(self) -> None:
        await self._opened()

    async def ready(self) -> None:
        if self._write is not None:
            await self._write.settled()
            self._write = None

    async def write(self, text: str) -> None:
        self._write = await native_events.begin_write(await self._opened(), text)

    async def close(self, ending: Ending) -> None:
        writer = await self._opened()
        attributes = {
            TRANSCRIPTION_FINAL: "true",
            "finish_reason": ending.finish_reason,
            "text_length": str(ending.text_length),
            "sha256": ending.sha256,
        }
        if ending.heard is not None:
            attributes["heard_length"] = str(len(ending.heard.encode()))
        await writer.aclose(attributes=attributes)

    async def _opened(self) -> TextStreamWriter:
        if self._writer is None:
            self._writer = await self._room.local_participant.stream_text(
                topic=self._topic,
                attributes=self._attributes,
                destination_identities=self._listeners,
            )
        return self._writer
