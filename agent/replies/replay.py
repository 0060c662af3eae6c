"""Replay: sends an answer to the room once more, to those who joined in the middle of it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

from livekit import rtc

from agent.replies.reply_output import Ending
from agent.replies.topic_output import TopicOutput

COPY_WINDOW = 0.05
"""Seconds between two writes: a copy is behind the answer anyway."""


class Replay:
    """Streams of their own for some listeners, on all reply topics: the text so far, then the rest.
    Attributes and end are those of the answer.
    """

    def __init__(
        self,
        room: rtc.Room,
        stream_ids: Mapping[str, str],
        attributes: dict[str, str],
        listeners: Collection[str],
    ) -> None:
        """`stream_ids`: by topic."""
        self.listeners = set(listeners)
        self._outputs = [
            TopicOutput(
                room,
                topic,
                attributes,
                stream_id=stream_id,
                window=COPY_WINDOW,
                listeners=sorted(listeners),
            )
            for topic, stream_id in stream_ids.items()
        ]

    def push(self, text: str) -> None:
        """Takes the next piece of the answer; never waits."""
        for output in self._outputs:
            output.push(text)

    def end(self, ending: Ending) -> asyncio.Future[list[BaseException | None]]:
        """Returns when all of it is sent, or abandoned."""
        return asyncio.gather(
            *(output.end(ending) for output in self._outputs), return_exceptions=True
        )

    def cancel(self) -> None:
        """Abandons the replay: nobody is there to read it."""
        for output in self._outputs:
            output.cancel()
