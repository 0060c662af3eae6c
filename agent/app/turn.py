"""Turn: a message that is about to be answered, as `before_answer` sees and changes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from toolkit.parts import ShownPart

if TYPE_CHECKING:
    from agent.app.persona import Models
    from toolkit.caller import Caller
    from toolkit.parts import Part, Show, Source
    from toolkit.room import Room


@dataclass(slots=True)
class Turn:
    """A message that is about to be answered. Changes hold for this answer alone.

    Attributes:
        room: where it was written.
        text: the message's text; of an answer that nobody asked for, the instruction.
        message_id: its sender's id for it; empty where nobody sent it.
        caller: who wrote it, as the server describes them.
        private: its answer goes to its sender alone.
        spoken: it was said into a microphone.
        agent: name of the agent that answers.
        instructions: the system prompt.
        model: another model, or several in order; None: the agent's.
        tools: wire names of the tools that the model is offered; None: those of the agent.
        on_part: takes what `show` shows.
    """

    room: Room
    text: str = field(repr=False)
    message_id: str
    caller: Caller
    private: bool
    spoken: bool
    agent: str
    instructions: str = field(repr=False)
    model: Models | None = None
    tools: Sequence[str] | None = None
    on_part: Show | None = field(default=None, repr=False)
    _context: list[str] = field(default_factory=list[str], repr=False)
    _answer: str | None = field(default=None, repr=False)
    _refused: bool = False

    @property
    def context(self) -> Sequence[str]:
        """Notes added for the model."""
        return tuple(self._context)

    @property
    def own_answer(self) -> str | None:
        """The text that replaces the model's answer, if any."""
        return self._answer

    @property
    def refused(self) -> bool:
        """Whether the model is not to read the message, in later turns either."""
        return self._refused

    def add_context(self, text: str, *sources: Source) -> None:
        """Adds a note that the model reads before the message, in this turn only, and shows its
        sources to people."""
        self._context.append(text)
        for source in sources:
            self.show(source)

    def show(self, part: Part) -> str:
        """Shows a part in the answer, beside its text, as `ToolContext.show` does; its id."""
        shown = ShownPart.of(part)
        if self.on_part is not None:
            self.on_part(shown)
        return shown.id

    def answer(self, text: str) -> None:
        """Answers in place of the model, which reads it as an answer of its own later on."""
        self._answer = text
        self._refused = False

    def refuse(self, text: str) -> None:
        """Answers in place of the model, and keeps message and answer from it in later turns."""
        self._answer = text
        self._refused = True
