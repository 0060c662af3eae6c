"""AnswerParts: the current parts of one answer, in order."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from agent.parts.part_limits import PartLimits
from agent.parts.part_stream import PartStream
from agent.unicode_text import well_formed
from agent.wire.envelope import encode
from toolkit.parts import Data, Part, ShownPart

logger = logging.getLogger(__name__)

OpenStream = Callable[[Collection[str]], PartStream]
"""Opens an output to these identities only; to everybody who sees the answer if none are given."""

IN_PROGRESS: Final = ("running", "waiting")
"""States of a tool call that has not ended."""


class AnswerParts:
    """Takes parts, within limits, and streams them. Parts beyond the limits are dropped; the text
    goes on.

    The stream opens with the first part. `show` may be called in any thread, everything else on
    the loop.
    """

    def __init__(
        self,
        limits: PartLimits,
        *,
        offset: Callable[[], int],
        open_stream: OpenStream,
        on_actionable: Callable[[str, Data | None], None] = lambda _id, _data: None,
    ) -> None:
        """
        Args:
            offset: how much text the answer has now, in UTF-16 code units.
            on_actionable: called with the id of each part that takes actions, and with None for one
                that no longer does.
        """
        self._limits = limits
        self._offset = offset
        self._open_stream = open_stream
        self._on_actionable = on_actionable
        self._loop = asyncio.get_running_loop()
        self._parts: dict[str, dict[str, Any]] = {}
        self._sizes: dict[str, int] = {}
        self._stream: PartStream | None = None
        self._copies: list[PartStream] = []
        self._thinking = ""
        """Id of the part that takes reasoning now."""
        self._thoughts = 0
        self._is_full = False
        self._ending: Mapping[str, str] | None = None
        self._is_restored = False
        self._lock = threading.Lock()
        self._arriving: dict[str, ShownPart] = {}
        self._is_scheduled = False

    def show(self, part: ShownPart) -> None:
        """Takes a part, in any thread; if it changes meanwhile, its last state counts."""
        with self._lock:
            if part.id not in self._arriving and len(self._arriving) >= max(self._limits.count, 1):
                return self._refuse()
            self._arriving[part.id] = part
            if self._is_scheduled:
                return None
            self._is_scheduled = True
        if _runs_here(self._loop):
            return self._take()
        try:
            self._loop.call_soon_threadsafe(self._take)
        except RuntimeError:
            # The loop and the room have ended; an abandoned thread is still running.
            return None

    def add(self, part: Part) -> str:
        """Takes a part that was not made by a tool; returns its id. Raises as `ShownPart.of`."""
        shown = ShownPart.of(part)
        self.show(shown)
        return shown.id

    def put(self, part_id: str, fields: Mapping[str, object]) -> bool:
        """Takes a part's JSON, replacing its former state; whether there was room for it."""
        if self._ending is not None:
            return False
        former = self._parts.get(part_id)
        at = self._offset() if former is None else former["at"]
        part = _whole_characters({"id": part_id, **fields, "at": at})
        size = len(encode(part)) + 1
        total = sum(self._sizes.values()) - self._sizes.get(part_id, 0) + size
        count = len(self._parts) + (former is None)
        limits = self._limits
        if size > limits.part_bytes or total > limits.answer_bytes or count > limits.count:
            self._refuse()
            return False
        self._parts[part_id] = part
        self._sizes[part_id] = size
        for stream in self._streams():
            stream.put(part)
        return True

    def think(self, text: str) -> None:
        """Takes the next piece of reasoning, until there is text again."""
        if not text:
            return
        if not self._thinking:
            self._thoughts += 1
            self._thinking = f"reasoning-{self._thoughts}"
            self.put(self._thinking, {"type": "reasoning", "text": ""})
        part = self._parts.get(self._thinking)
        if part is None or "truncated" in part or self._ending is not None:
            return
        text = well_formed(text)
        size = self._sizes[self._thinking] + len(encode(text)) - len('""')
        total = sum(self._sizes.values()) - self._sizes[self._thinking] + size
        if size > self._limits.part_bytes or total > self._limits.answer_bytes:
            self.put(self._thinking, {**part, "truncated": True})
            return
        part["text"] += text
        self._sizes[self._thinking] = size
        for stream in self._streams():
            stream.append(self._thinking, text)

    def thought(self) -> None:
        """Ends the current reasoning: later reasoning is another part."""
        self._thinking = ""

    def end(self) -> str | None:
        """Takes no more; returns the parts as JSON, None if there are none.

        A tool call that has not ended counts as failed: its end will not be reported.
        """
        self._take()
        for part_id, part in list(self._parts.items()):
            if part.get("state") in IN_PROGRESS:
                self.put(part_id, {**part, "state": "failed"})
        self._ending = {}
        if not self._parts:
            return None
        return json.dumps(list(self._parts.values()), ensure_ascii=False, separators=(",", ":"))

    def restore(self, stored: str | None, attributes: Mapping[str, str]) -> None:
        """Takes the parts of an answer that ended before, as `end` returned them once; `finish`
        and `repeat` send them, also where there are none: clients may show former ones."""
        if self._limits.count:
            self._parts = {part["id"]: part for part in json.loads(stored or "[]")}
            self._ending = attributes
            self._is_restored = True

    async def finish(self, attributes: Mapping[str, str], *, even_empty: bool = False) -> None:
        """Ends the streams; returns when everything is out, or could not be.

        Args:
            even_empty: also tell clients that there are no parts, since they may show former ones.
        """
        self._ending = attributes
        if even_empty and self._limits.count and self._stream is None:
            self._stream = self._open_with_all(())
        streams = ([] if self._stream is None else [self._stream]) + self._copies
        try:
            await asyncio.gather(*(stream.end(attributes) for stream in streams))
        except asyncio.CancelledError:
            for stream in streams:
                stream.cancel()
            raise
        self._copies.clear()

    async def repeat(self, listeners: Collection[str]) -> None:
        """Replays the parts, from the first one, to participants who have just joined.

        Returns at once; if the answer has ended, once all parts are sent.
        """
        if self._stream is None and not self._is_restored:
            return
        copy = self._open_with_all(listeners)
        if not self._ending:
            self._copies.append(copy)
            return
        try:
            await copy.end(self._ending)
        finally:
            copy.cancel()

    def begin_again(self) -> None:
        """Sends all parts again to those who see the answer: their clients are new."""
        if self._stream is not None:
            self._stream.cancel()
            self._stream = self._open_with_all(())

    def forget_listener(self, identity: str) -> None:
        """Cancels copies that were only for somebody who has left."""
        for copy in list(self._copies):
            copy.listeners.discard(identity)
            if not copy.listeners:
                self._copies.remove(copy)
                copy.cancel()

    def _open_with_all(self, listeners: Collection[str]) -> PartStream:
        stream = self._open_stream(listeners)
        for part in self._parts.values():
            stream.put(part)
        return stream

    def _streams(self) -> list[PartStream]:
        if self._stream is None:
            self._stream = self._open_stream(())
        return [self._stream, *self._copies]

    def _take(self) -> None:
        with self._lock:
            arrived = list(self._arriving.values())
            self._arriving.clear()
            self._is_scheduled = False
        for part in arrived:
            if self.put(part.id, part.fields):
                self._on_actionable(part.id, part.made_from)

    def _refuse(self) -> None:
        if not self._is_full and self._limits.count:
            self._is_full = True
            logger.warning("parts of an answer exceed their limits; dropping some")


def _runs_here(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


def _whole_characters(part: dict[str, Any]) -> dict[str, Any]:
    """A part without halves of surrogate pairs, which have no UTF-8 form."""
    try:
        encode(part)
    except UnicodeEncodeError:
        return json.loads(well_formed(json.dumps(part, ensure_ascii=False)))
    return part
