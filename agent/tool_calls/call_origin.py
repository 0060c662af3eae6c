"""CallOrigin: the message that the model is answering, as far as its tools are concerned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agent.history.message import Attachment
from agent.parts.answer_parts import AnswerParts
from toolkit.caller import Caller


@dataclass(frozen=True, slots=True)
class CallOrigin:
    """Attributes:
    caller: who wrote the message; tools run for them.
    message_id: of the message.
    position: of the answer, in its thread; None: not known.
    private: nobody else may learn of it.
    attach: told of a file that becomes part of the answer.
    parts: what the answer shows beside its text; made when it is first asked for.
    """

    caller: Caller
    message_id: str
    position: int | None
    private: bool
    attach: Callable[[Attachment], None]
    parts: Callable[[], AnswerParts]
