"""ReplyOutput: one output of an answer while it is generated.

Each output writes at its own pace. Text that arrives during a write is sent as one chunk with the
next: a lone token goes out at once, a burst of hundreds in a handful of writes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from livekit.rtc.data_stream import StreamError
from livekit.rtc.participant import PublishDataError, PublishTranscriptionError

from agent.contract.finish_reason import FinishReason
from agent.replies.write_batcher import WriteBatcher

logger = logging.getLogger(__name__)

WRITE_TIMEOUT = 10.0

UNSENT = (StreamError, PublishDataError, PublishTranscriptionError)
"""Exceptions of the SDK when something could not be sent."""


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of an answer.

    Attributes:
        text: the whole text.
        text_length: its length in bytes of UTF-8.
        sha256: hash of those bytes, in hex.
        heard: the text spoken so far, if the answer was interrupted while it was spoken.
        parts: the parts it showed beside its text, as JSON; None: none.
    """

    finish_reason: FinishReason
    text: str
    text_length: int
    sha256: str
    heard: str | None = None
    parts: str | None = None

    @property
    def kept(self) -> str:
        """The text that counts as the answer."""
        return self.text if self.heard is None else self.heard


class ReplyOutput(ABC):
    """One output of an answer. `push` never waits; a task of its own does the writing."""

    window: float = 0.0
    """Seconds between two writes in which text is collected."""
    is_quick: ClassVar[bool] = False
    """Whether `write_at_once` may be called, unless text is being collected."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._waiting: list[str] = []
        self._changed = asyncio.Event()
        self._ending: Ending | None = None
        self._ended = asyncio.Event()
        self.begun = asyncio.Event()
        """Set when the first piece has been sent, or never will be."""
        self.on_first_written: Callable[[], None] | None = None
        """Called once, when the first piece has been sent."""
        self.after: ReplyOutput | None = None
        """Another output, whose first piece goes first."""
        self._task: asyncio.Task[None] | None = None
        self._is_idle = False
        """Whether the task has written everything and waits for more, which may be sent at once."""
        self._batcher = WriteBatcher.of_loop()
        self.failed = False
        """Whether part of the answer could not be sent."""

    def push(self, text: str) -> None:
        """Takes the next piece of the answer."""
        self._waiting.append(text)
        if self._is_idle:
            self._batcher.add(self._leave)
        else:
            self._wake()

    def _leave(self) -> None:
        """Sends pending text at once if possible; otherwise the task sends it."""
        if not self._waiting:
            return  # The task has been quicker.
        if self._is_idle and not self._changed.is_set():
            # The usual case: a model's token is sent before the next one comes.
            with contextlib.suppress(AssertionError):  # the task sees it as well
                if self.write_at_once("".join(self._waiting)):
                    self._waiting.clear()
                    return
        self._wake()

    def open(self) -> None:
        """Prepares the output before there is text."""
        self._wake()

    def end(self, ending: Ending) -> asyncio.Task[None]:
        """Writes the rest and the end; returns when all of it is sent or has failed."""
        self._ending = ending
        self._ended.set()
        return self._wake()

    def cancel(self) -> None:
        """Abandons the output at once, for when the room no longer exists."""
        self._is_idle = False
        if self._task is not None:
            self._task.cancel()

    async def prepare(self) -> None:  # noqa: B027 - most outputs have nothing to do
        """Begins to prepare the output before there is text; by default does nothing."""

    async def ready(self) -> None:  # noqa: B027 - most have sent a chunk when `write` returns
        """Returns when the last chunk has been sent; text arriving until then joins the next."""

    def write_at_once(self, _text: str) -> bool:
        """Begins to send one chunk if the previous one has been sent; returns whether it did.

        Raises:
            AssertionError: it cannot be sent.
        """
        raise NotImplementedError

    @abstractmethod
    async def write(self, text: str) -> None:
        """Sends one chunk, or begins to."""

    @abstractmethod
    async def close(self, ending: Ending) -> None:
        """Sends the end; all text has been pushed by then, even if not written."""

    def _wake(self) -> asyncio.Task[None]:
        self._changed.set()
        if self._task is None:
            self._task = asyncio.create_task(self._pump(), name=f"reply to {self._name}")
        return self._task

    async def _pump(self) -> None:
        try:
            while True:
                if self.is_quick and not self.window and self.begun.is_set():
                    self._is_idle = True
                    self._batcher.begin(self)
                await self._changed.wait()
                self._is_idle = False
                self._changed.clear()
                if self._waiting:
                    if self.after is not None:
                        await self.after.begun.wait()
                    async with asyncio.timeout(WRITE_TIMEOUT):
                        await self.ready()
                        text = "".join(self._waiting)
                        self._waiting.clear()
                        await self.write(text)
                        if not self.begun.is_set():
                            await self._tell_first()
                    await self._gather()
                elif self._ending is not None:
                    break
                else:
                    async with asyncio.timeout(WRITE_TIMEOUT):
                        await self.prepare()
                if self._waiting or self._ending is not None:
                    self._changed.set()
            async with asyncio.timeout(WRITE_TIMEOUT):
                await self.ready()
                await self.close(self._ending)
        except (*UNSENT, TimeoutError, AssertionError) as error:
            # The SDK asserts that its native half knows the stream (_ffi_client.py, request): it
            # does not any more when the connection is lost for good.
            self.failed = True
            reason = str(error) or type(error).__name__
            logger.warning("answer not sent on %s: %s", self._name, reason)
        except Exception:
            # The boundary around one output: the answer's others, and its end, go out.
            logger.exception("answer not sent on %s; its other outputs continue", self._name)
        finally:
            self._is_idle = False
            self._batcher.end(self)
            self.begun.set()

    async def _tell_first(self) -> None:
        if self.on_first_written is not None:
            # Not sooner: an answer that nobody has seen need not be stored.
            await self.ready()
            self.on_first_written()
        self.begun.set()

    async def _gather(self) -> None:
        if self.window and self._ending is None:
            try:
                async with asyncio.timeout(self.window):
                    await self._ended.wait()
            except TimeoutError:
                return
