"""The session's text output: hands what the model says to the answer in progress."""

from __future__ import annotations

from collections.abc import Callable

from livekit.agents.voice.io import TextOutput

from agent.chat.reply_stream import ReplyStream


class ReplyTextOutput(TextOutput):
    """AgentSession's output for text. `reply` is the answer that the text belongs to, `on_step` is
    told of the first text of each further step.

    The session flushes after each step of an answer with tool calls; the steps are one answer to
    the reader, with a blank line between them.
    """

    def __init__(self) -> None:
        super().__init__(label="reply stream", next_in_chain=None)
        self.reply: ReplyStream | None = None
        self.on_step: Callable[[], None] | None = None
        self._step_ended = False

    async def capture_text(self, text: str) -> None:
        """Called by the session for each piece of text; never waits."""
        self.push(text)

    def push(self, text: str) -> None:
        """Takes the next piece of text."""
        if self.reply is None:
            return
        if self._step_ended and text:
            if self.reply.started:
                self.reply.push("\n\n")
            if self.on_step is not None:
                self.on_step()
        self._step_ended = False
        self.reply.push(text)

    def flush(self) -> None:
        """Called by the session when a step has no more text."""
        self._step_ended = True

    def begin(self, reply: ReplyStream) -> None:
        """What is captured from now on belongs to this answer."""
        self.reply = reply
        self._step_ended = False

    def end(self) -> None:
        """Nothing is being answered; text that still arrives is dropped."""
        self.reply = None
