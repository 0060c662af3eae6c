"""Hostile: a participant who sends anything, and the required outcome of each input."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from livekit.rtc._proto.ffi_pb2 import FfiRequest
from livekit.rtc._proto.room_pb2 import DataStream

from tests.agent.chat_client import ChatClient
from tests.agent.conftest import Worker
from tests.agent.raw_stream import send_packet

PATIENCE: Final = 40.0
"""Seconds for what was sent to be answered or refused: as many answers as one person may wait for,
on a busy machine."""

FEW: Final = 5
"""Short tasks: a notice, a published state."""


@dataclass
class Hostile:
    """Somebody in a room, beside a well-behaved neighbour in another room of the same process.

    Attributes:
        sent: ids of messages that must be answered or refused.
    """

    client: ChatClient
    neighbour: ChatClient
    worker: Worker
    caplog: pytest.LogCaptureFixture
    sent: set[str] = field(default_factory=set[str])
    number: int = 0
    tasks: int = 0
    """Tasks of the rooms' loop before anything was sent."""

    def count_tasks(self) -> int:
        """Tasks on the loop that the rooms of the process share."""
        loop = self.worker.host._loop  # pyright: ignore[reportPrivateUsage]
        assert loop is not None
        return len(asyncio.all_tasks(loop))

    def new_id(self) -> str:
        self.number += 1
        return f"case-{self.number}"

    def unanswered(self) -> set[str]:
        told: set[str] = set(self.client.answered())
        for _, body in self.client.packets:
            told.update(body.get("messageIds") or ())
            told.update(each for each in (body.get("inReplyTo"), body.get("streamId")) if each)
        return self.sent - told

    async def settled(self) -> None:
        """Everything was answered or refused, both rooms go on, no task is left running, and the
        log has no failure."""
        async with asyncio.timeout(PATIENCE):
            while self.unanswered():
                await self.client.call("ping")
            while self.count_tasks() > self.tasks + FEW:
                await self.client.call("ping")
        assert (await self.neighbour.ask("hello")).finish_reason == "stop"
        assert (await self.client.ask("still there?")).finish_reason == "stop"
        failed = [each for each in self.caplog.records if each.levelno >= logging.ERROR]
        assert [each.getMessage() for each in failed] == []

    async def send_stream(
        self,
        header: dict[str, Any],
        attributes: dict[str, str],
        chunks: list[tuple[int, bytes]],
        *,
        of_bytes: bool,
        ends: bool,
    ) -> None:
        """Sends a stream's packets as they are, whatever the SDK would say of them."""
        request = FfiRequest()
        made = request.send_stream_header.header
        for name, value in header.items():
            setattr(made, name, value)
        made.timestamp = 1
        made.attributes.update(attributes)
        if of_bytes:
            made.byte_header.name = attributes.get("name", "file")
        else:
            made.text_header.operation_type = DataStream.OperationType.CREATE
        await send_packet(self.client.room, request)
        for index, content in chunks:
            request = FfiRequest()
            chunk = request.send_stream_chunk.chunk
            chunk.stream_id, chunk.chunk_index, chunk.content = header["stream_id"], index, content
            await send_packet(self.client.room, request)
        if ends:
            request = FfiRequest()
            trailer = request.send_stream_trailer.trailer
            trailer.stream_id, trailer.reason = header["stream_id"], ""
            trailer.attributes.update(attributes)
            await send_packet(self.client.room, request)
