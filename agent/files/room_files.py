"""RoomFiles: the files that the agent sends in one room, and the RPC methods for them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from livekit import rtc
from pydantic import Field

from agent.contract.messages import SentFile
from agent.files.delivery import FileDelivery
from agent.files.file_quota import FileQuota
from agent.files.files import Files
from agent.files.outgoing import FileMaker, Outgoing, to_tool_error
from agent.files.transcript import MIME_TYPES, Format, transcript
from agent.history.history import History
from agent.history.message import Page
from agent.rpc.arguments import caller_of, read_thread
from agent.rpc.history_errors import told_to_caller
from agent.tool_calls.call_origin import CallOrigin
from agent.wire.refusal import Refusal
from toolkit.context import ToolContext
from toolkit.errors import NotFound, Unavailable
from toolkit.file import File
from toolkit.tool import Tool, tool

TRANSCRIPT_SECONDS = 60.0


class RoomFiles:
    """Sends files to those who asked: privately, unless everybody in the room may have them.

    Args:
        name: the room's.
        agent: its identity.
        conversation: its name in the history.
        settled: returns when all that was said is stored.
        reads_alone: whether a short stream to an identity reaches nobody else.
    """

    def __init__(  # noqa: PLR0913 - its parts
        self,
        room: rtc.Room,
        name: str,
        conversation: str,
        *,
        files: Files,
        history: History,
        agent: str,
        quota: FileQuota,
        settled: Callable[[], Awaitable[None]],
        reads_alone: Callable[[str], Awaitable[bool]],
    ) -> None:
        self._name = name
        self._conversation = conversation
        self._store = files.store
        self._history = history
        self._agent = agent
        self._quota = quota
        self._settled = settled
        self._maker = FileMaker(files.store, files.types, max_bytes=files.max_bytes)
        self._delivery = FileDelivery(room, files.store, reads_alone=reads_alone)

    def methods(self) -> tuple[Tool, ...]:
        """The RPC methods for clients."""
        return self._send_file_tool(), self._export_transcript_tool()

    async def to_caller(self, identity: str, file: File) -> dict[str, object]:
        """Sends a tool's file to its RPC caller. Raises ToolError."""
        made = await self._maker.make(file)
        return dict(await self._send(made, to=identity, private=not file.public))

    async def in_answer(self, turn: CallOrigin, file: File) -> dict[str, object]:
        """Sends a tool's file as part of an answer, to everyone who gets the answer.

        Raises ToolError.
        """
        kept = await self._kept(file)
        sent = await self._send(
            kept,
            to=turn.caller.identity if turn.private else None,
            private=turn.private and not file.public,
            answers=turn,
        )
        turn.attach(kept.attachment)
        return dict(sent)

    async def _kept(self, file: File) -> Outgoing:
        try:
            use = await self._quota.open(self._agent, None)
        except Refusal as refusal:
            raise to_tool_error(refusal) from None
        try:
            return await self._maker.keep(file, use)
        finally:
            use.close()

    async def aclose(self) -> None:
        """Cancels transfers in progress."""
        await self._delivery.aclose()

    async def _send(
        self, file: Outgoing, *, to: str | None, private: bool, answers: CallOrigin | None = None
    ) -> SentFile:
        try:
            self._delivery.send(file, to=to, private=private, answers=answers)
        except BaseException:
            await file.discard()
            raise
        about = file.attachment
        return {
            "fileId": about.id,
            "name": about.name,
            "mimeType": about.type,
            "size": about.size,
            "sha256": about.sha256,
        }

    def _send_file_tool(self) -> Tool:
        @tool
        async def send_file(
            context: ToolContext,
            file_id: Annotated[
                str, Field(description="id of a file in the history", max_length=256)
            ],
        ) -> SentFile:
            """Send me a file that came with a message that I may see."""
            caller = _receiver(context)
            await self._settled()
            with told_to_caller("fileId"):
                found = await self._history.find_attachment(
                    self._conversation, file_id, asker=caller
                )
            if found is None:
                raise NotFound("There is no such file")
            attachment, thread = found
            path = await self._store.find(attachment.sha256)
            if not await self._store.run(path.is_file):
                raise NotFound("The file is gone")
            is_private = thread.owner is not None
            if is_private:
                context.keep_confidential()
            return await self._send(Outgoing(attachment, path), to=caller, private=is_private)

        return send_file

    def _export_transcript_tool(self) -> Tool:
        @tool(timeout=TRANSCRIPT_SECONDS)
        async def export_transcript(
            context: ToolContext,
            thread: Annotated[
                str, Field(description="room, or private: and your identity")
            ] = "room",
            format: Annotated[Format, Field(description="format of the file")] = "md",  # noqa: A002 - the wire name
        ) -> SentFile:
            """Send me all that was said in the room, or privately with the agent, as a file."""
            caller = _receiver(context)
            key = read_thread("exportTranscript", self._conversation, thread, context)
            await self._settled()

            async def read(before: str | None, limit: int) -> Page:
                return await self._history.page(key, asker=caller, before=before, limit=limit)

            title = self._name if key.owner is None else f"{self._name}, private"
            about = File(f"transcript.{format}", b"", MIME_TYPES[format])
            with told_to_caller("thread"):
                made = await self._maker.write(about, transcript(read, title, format))
            return await self._send(made, to=caller, private=key.owner is not None)

        return export_transcript


def _receiver(context: ToolContext) -> str:
    """The identity of the caller, who is about to be sent a file; raises ToolError."""
    if context.send_file is None:
        raise Unavailable("There is nobody here that a file could be sent to")
    return caller_of(context).identity
