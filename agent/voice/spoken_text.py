"""SpokenText: an answer's text while it is spoken."""

from __future__ import annotations

from livekit.agents.voice.io import AudioOutput, TextOutput
from livekit.agents.voice.transcription import TranscriptSynchronizer

from agent.replies.reply_sink import ReplySink


class SpokenText(TextOutput):
    """The session's text output beside its voice: the text goes out at once, or in step.

    The framework's synchronizer follows the speech in either case. It reports how much of an
    interrupted answer was heard; the session keeps that part.
    """

    def __init__(self, reply: ReplySink, loudspeaker: AudioOutput, *, in_step: bool) -> None:
        super().__init__(label="spoken text", next_in_chain=None)
        self._reply = reply
        self._in_step = in_step
        self._follows = in_step
        self._said = ""
        self._shown = 0
        self._synchronizer = TranscriptSynchronizer(
            next_in_chain_audio=loudspeaker,
            next_in_chain_text=_InStep(self) if in_step else None,
        )

    @property
    def audio(self) -> AudioOutput:
        """The audio output that this text follows."""
        return self._synchronizer.audio_output

    def think(self, text: str) -> None:
        """Takes reasoning; shown where the agent that answers shows it."""
        if (show := self._reply.on_reasoning) is not None:
            show(text)

    def begin(self) -> None:
        """An answer begins."""
        self._follows = self._in_step
        self._said = ""
        self._shown = 0

    def catch_up(self) -> None:
        """Shows everything that was said so far, and the rest of the answer at once."""
        if self._follows:
            self._follows = False
            self._reply.push(self._said[self._shown :])

    async def capture_text(self, text: str) -> None:
        """Called by the session for each piece of text."""
        self._said += text
        if not self._follows:
            self._reply.push(text)
        await self._synchronizer.text_output.capture_text(text)

    def flush(self) -> None:
        """Called by the session when a step has no more text."""
        if not self._follows:
            self._reply.flush()
        self._synchronizer.text_output.flush()

    def show(self, text: str) -> None:
        """Called by the synchronizer when the words are spoken."""
        if self._follows:
            self._shown += len(text)
            self._reply.push(text)

    def step_ended(self) -> None:
        """Called by the synchronizer when all words of a step are spoken."""
        if self._follows:
            self._reply.flush()

    async def aclose(self) -> None:
        await self._synchronizer.aclose()


class _InStep(TextOutput):
    """The output to which the synchronizer writes each word when it is spoken."""

    def __init__(self, text: SpokenText) -> None:
        super().__init__(label="in step", next_in_chain=None)
        self._text = text

    async def capture_text(self, text: str) -> None:
        self._text.show(text)

    def flush(self) -> None:
        self._text.step_ended()
