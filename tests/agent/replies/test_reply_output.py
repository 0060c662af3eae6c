"""Every output of an answer sends chunks in order, one at a time, and then the end."""

from __future__ import annotations

import asyncio

import pytest

from agent.replies.reply_output import Ending, ReplyOutput
from agent.replies.write_batcher import TOGETHER_FROM

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


async def test_text_that_arrives_during_a_write_goes_with_the_next_chunk() -> None:
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
    """Until then nobody has seen it, and it need not be stored; later writes do not matter."""
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


class QuickWire(Wire):
    """Takes a chunk at once where the former one has been sent, unless it is broken."""

    is_quick = True

    def __init__(self) -> None:
        super().__init__()
        self.broken = False

    def let(self) -> None:
        if len(self.sent) < len(self.written):
            self.sent.append(self.written[-1])
        else:
            super().let()

    def write_at_once(self, text: str) -> bool:
        if self.broken:
            raise AssertionError
        if len(self.sent) < len(self.written):
            return False
        self.written.append(text)
        self.changed.set()
        return True

    async def write(self, text: str) -> None:
        if self.broken:
            raise AssertionError
        await super().write(text)

    async def begun_with(self, text: str) -> None:
        """Returns when the first piece has been sent, and nothing is left to do."""
        self.on_first_written = lambda: None
        self.let()
        self.push(text)
        await self.begun.wait()
        await asyncio.sleep(0)


async def test_a_piece_leaves_at_once_where_the_former_one_has_been_sent() -> None:
    wire = QuickWire()
    async with asyncio.timeout(10):
        await wire.begun_with("a")
        wire.push("b")
        assert wire.written == ["a", "b"]
        wire.push("c")
        wire.push("d")
        assert wire.written == ["a", "b"]
        wire.let()
        await wire.until("a", "b", "cd")
        wire.let()
        await wire.end(END)
    assert wire.sent == ["a", "b", "cd"]
    assert wire.closed


@pytest.mark.parametrize("broken", [True, False])
async def test_an_output_knows_whether_its_end_was_sent(*, broken: bool) -> None:
    wire = QuickWire()
    async with asyncio.timeout(10):
        await wire.begun_with("a")
        wire.broken = broken
        wire.push("b")
        wire.let()
        await wire.end(END)
    assert wire.failed is broken
    assert wire.closed is not broken


async def test_the_first_piece_does_not_leave_before_it_is_its_turn() -> None:
    first, second = QuickWire(), QuickWire()
    second.after = first
    async with asyncio.timeout(10):
        second.push("a")
        await asyncio.sleep(0)
        second.push("b")
        assert second.written == []
        await first.begun_with("a")
        await second.until("ab")
        for wire in (first, second):
            wire.let()
            await wire.end(END)


async def test_a_copy_that_gathers_text_does_not_send_at_once() -> None:
    wire = QuickWire()
    wire.window = 0.01
    async with asyncio.timeout(10):
        await wire.begun_with("a")
        wire.push("b")
        assert wire.written == ["a"]
        await wire.until("a", "b")
        wire.let()
        await wire.end(END)


async def test_nothing_leaves_any_more_where_an_answer_was_given_up() -> None:
    wire = QuickWire()
    async with asyncio.timeout(10):
        await wire.begun_with("a")
        wire.cancel()
        wire.push("b")
    assert wire.written == ["a"]


async def test_a_failed_immediate_write_ends_the_answer_as_usual(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wire = QuickWire()
    async with asyncio.timeout(10):
        await wire.begun_with("a")
        wire.broken = True
        wire.push("b")
        await wire.end(END)
    assert wire.written == ["a"]
    assert not wire.closed
    assert "answer not sent on wire: AssertionError" in caplog.text


async def test_pieces_of_many_concurrent_answers_leave_together() -> None:
    wires = [QuickWire() for _ in range(TOGETHER_FROM)]
    async with asyncio.timeout(10):
        for wire in wires:
            await wire.begun_with("a")
        for text in "bc":
            for wire in wires:
                wire.push(text)
        assert all(wire.written == ["a"] for wire in wires)
        await wires[-1].until("a", "bc")
        assert all(wire.written == ["a", "bc"] for wire in wires)
        for wire in wires:
            wire.let()
        await wires[0].end(END)
        wires[1].push("d")
        assert wires[1].written == ["a", "bc", "d"], "they are not so many any more"
        wires[1].let()
        for wire in wires[1:]:
            await wire.end(END)


async def test_waiting_text_is_sent_before_the_end() -> None:
    wires = [QuickWire() for _ in range(TOGETHER_FROM)]
    async with asyncio.timeout(10):
        for wire in wires:
            await wire.begun_with("a")
        for wire in wires[:2]:
            wire.push("b")
        wires[0].let()
        await wires[0].end(END)
        assert wires[0].sent == ["a", "b"]
        assert wires[0].closed
        await wires[1].until("a", "b")
        assert wires[0].written == ["a", "b"]
        wires[1].let()
        for wire in wires[1:]:
            await wire.end(END)
