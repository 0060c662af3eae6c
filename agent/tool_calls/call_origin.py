"""CallOrigin: the message that the model is answering, as far as its tools are concerned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agent.history.message import Attachment
from agent.parts.answer_parts import AnswerParts
from toolkit.caller import Caller
from toolkit.handoff import HandOff


@dataclass(frozen=True, slots=True)
class CallOrigin:
    """Attributes:
    caller: the sender of the message; tools run for them.
    message_id: of the message.
    position: of the answer, in its thread; None: not known.
    private: whether only the caller may see it.
    attach: called with a file that becomes part of the answer.
    parts: the parts that the answer shows; made on first use.
    hand_off: hands the conversation to another agent of the app; None: there is no other.
    segment_id: of the answer in progress.
    generation: how often another answer to the message was asked for.
    """

    caller: Caller
    message_id: str
    position: int | None
    private: bool
    attach: Callable[[Attachment], None]
    parts: Callable[[], AnswerParts]
    hand_off: HandOff | None = None
    segment_id: str = ""
    generation: int = 0

    @property
    def thread(self) -> str:
        """The id of the conversation: `room`, or `private:` and its owner's identity."""
        return f"private:{self.caller.identity}" if self.private else "room"


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnOrigin:
    """A message that is about to be answered, before its sender has been looked up.

    Attributes:
        identity, name: of its sender.
        position: of the answer, in its thread; None: not known.
        on_file: called with each file that becomes part of the answer.
        parts: the parts that the answer shows.
        hand_off, segment_id, generation: as in CallOrigin.
    """

    identity: str
    name: str
    message_id: str
    position: int | None
    private: bool
    on_file: Callable[[Attachment], None]
    parts: Callable[[], AnswerParts]
    hand_off: HandOff | None = None
    segment_id: str = ""
    generation: int = 0

    def by(self, caller: Caller) -> CallOrigin:
        """The same with its caller."""
        return CallOrigin(
            caller,
            self.message_id,
            self.position,
            self.private,
            self.on_file,
            self.parts,
            self.hand_off,
            self.segment_id,
            self.generation,
        )
