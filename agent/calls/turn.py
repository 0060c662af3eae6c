"""Turn: the message that the model is answering, as far as its tools are concerned."""

from __future__ import annotations

from dataclasses import dataclass

from tools.context import Caller


@dataclass(frozen=True, slots=True)
class Turn:
    """Attributes:
    caller: who wrote the message; tools run for them.
    message_id: of the message.
    private: nobody else may learn of it.
    """

    caller: Caller
    message_id: str
    private: bool
