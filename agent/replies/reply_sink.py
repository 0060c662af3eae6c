"""ReplySink: passes the model's text to the answer in progress."""

from __future__ import annotations

from collections.abc import Callable

from agent.replies.reply_stream import ReplyStream


class ReplySink:
    """Writes the model's text to the current reply, `reply`. `on_step` is called with the first
    text of each further step.

    An answer with tool calls has several steps; they are one answer to the reader, with a blank
    line between them.
    """

    def __init__(self, *, shows_reasoning: bool = False) -> None:
        """`shows_reasoning`: people see the model's reasoning, as parts of the answer."""
        self.shows_reasoning = shows_reasoning
        self.reply: ReplyStream | None = None
        self.on_step: Callable[[], None] | None = None
        self._step_ended = False
        self._is_thinking = False

    @property
    def on_reasoning(self) -> Callable[[str], None] | None:
        """Takes reasoning, if people see it."""
        return self._think if self.shows_reasoning else None

    def open(self) -> None:
        """Notes that the model is being asked."""
        if self.reply is not None:
            self.reply.open()

    def push(self, text: str) -> None:
        """Adds a piece of text; never waits."""
        if self.reply is None:
            return
        if self._step_ended and text:
            if self.reply.started:
                self.reply.push("\n\n")
            if self.on_step is not None:
                self.on_step()
        self._step_ended = False
        if self._is_thinking:
            self._thought()
        self.reply.push(text)

    def _think(self, text: str) -> None:
        if self.reply is not None:
            self._is_thinking = True
            self.reply.parts.think(text)

    def flush(self) -> None:
        """Notes that a step has no more text."""
        self._step_ended = True
        self._thought()

    def _thought(self) -> None:
        if self._is_thinking and self.reply is not None:
            self.reply.parts.thought()
        self._is_thinking = False

    def begin(self, reply: ReplyStream) -> None:
        """Assigns further text to this answer."""
        self.reply = reply
        self._step_ended = False

    def end(self) -> None:
        """Ends the assignment: text that still arrives is dropped."""
        self.reply = None
