"""What the ways out of an answer have in common: chunks in order, one at a time, and the end."""

from __future__ import annotations

import asyncio

from agent.chat.reply_output import Ending, ReplyOutput

END = Ending(finish_reason="stop", text="", text_length=0, sha256="")


class Wire(ReplyOutput):
    """Sends when it is let. `written` and `sent` are the chunks that were begun, and that left."""

    def __init__(self) -> None:
        super().__init__("wire")
        self.written: list[str] = []
        self.sent: list[str] = []
        self.changed = asyncio.Event()
        self.closed = False
        self._way = asyncio.Semaphore(0)

    def let(self) -> None:
        """One chunk leaves."""
        self._way.release()

    async def until(self, *written: str) -> None:
        while self.written != [*written]:
            self.changed.clear()
            await self.changed.wait()

    async def ready(self) -> None:
        if len(self.sent) < len(self.written):
            await self._way.acquire()
            self.sent.append(self.written[-1])

    async def write(self, text: str) -> None:
        self.written.append(text)
        self.changed.set()

    async def close(self, ending: Ending) -> None:
        assert self.sent == self.written
        self.closed = True


async def test_what_comes_while_a_chunk_is_under_way_goes_with_the_next() -> None:
    wire = Wire()
    async with asyncio.timeout(10):
        wire.push("a")
        await wire.until("a")
        for text in "bcd":
            wire.push(text)
        wire.let()
        await wire.until("a", "bcd")
        wire.let()
        wire.push("e")
        await wire.until("a", "bcd", "e")
        wire.let()
        await wire.end(END)
    assert wire.closed


async def test_an_answer_has_begun_when_its_first_chunk_has_been_sent() -> None:
    """Until then nobody has seen it, and nothing of it need be kept; later ones tell nothing."""
    wire = Wire()
    told: list[list[str]] = []
    wire.on_first_written = lambda: told.append([*wire.sent])
    async with asyncio.timeout(10):
        wire.push("a")
        await wire.until("a")
        assert not wire.begun.is_set()
        assert told == []
        wire.let()
        await wire.begun.wait()
        wire.push("b")
        await wire.until("a", "b")
        wire.let()
        await wire.end(END)
    assert told == [["a"]]


async def test_the_end_waits_for_the_last_chunk() -> None:
    wire = Wire()
    async with asyncio.timeout(10):
        wire.push("a")
        await wire.until("a")
        ending = wire.end(END)
        assert not wire.closed
        wire.let()
        await ending
    assert wire.closed
    assert wire.sent == ["a"]
