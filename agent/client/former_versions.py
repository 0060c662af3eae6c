"""FormerVersions: what a question and its answer were before one of them was replaced."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Literal

from agent.client.message import Message, Version

MAX_VERSIONS: Final = 20
"""Former versions of a question that are kept; the oldest ones go."""


class FormerVersions:
    """Former versions of one question, as far as this client has seen them.

    The notice of an edit and the stream of the next answer arrive separately, in either order. Both
    are reported here, and together they make one version.
    """

    def __init__(self) -> None:
        self.items: tuple[Version, ...] = ()
        """The oldest first."""
        self._answer_is: Literal["current", "former", "unsure"] = "current"
        """Whose the answer in the thread is: the current text's, or that of the text before the
        last edit. While it streams, its end tells: an edit stops the answer to the former text."""
        self._is_replacing = False
        """Whether the answer that streams has replaced one that is the last version's."""

    def edited(self, former: str, answer: Message | None) -> None:
        """The question has got another text."""
        if answer is None or answer.finish_reason is not None:
            self._keep(former, answer if self._answer_is == "current" else None)
            self._answer_is = "current" if answer is None else "former"
            return
        if not self._is_replacing or self._answer_is == "unsure":
            self._keep(former, None)
        self._answer_is = "unsure"

    def begun(self, text: str, former: Message) -> None:
        """Another answer begins; `former`: the one before it, whole."""
        self._is_replacing = self._answer_is == "current" and _has_content(former)
        if self._is_replacing:
            self._keep(text, former)
        self._answer_is = "current"

    def ended(self, text: str, answer: Message) -> None:
        """An answer has ended; it may be the former one, which was sent once more."""
        last = self.items[-1] if self.items else None
        if self._answer_is == "unsure":
            is_former = answer.finish_reason == "cancelled"
            if is_former and last is not None and _has_content(answer):
                if not self._is_replacing:
                    self.items = self.items[:-1]
                self._keep(last.text, answer)
            self._answer_is = "former" if is_former else "current"
        elif self._is_replacing and _is_same(last, text, answer):
            self.items = self.items[:-1]
        self._is_replacing = False

    def _keep(self, text: str, answer: Message | None) -> None:
        kept = replace(answer) if answer is not None and _has_content(answer) else None
        self.items = (*self.items[1 - MAX_VERSIONS :], Version(text, kept))


def _has_content(answer: Message) -> bool:
    return bool(answer.text or answer.parts)


def _is_same(version: Version | None, text: str, answer: Message) -> bool:
    if version is None or version.answer is None:
        return False
    return (version.text, version.answer.text) == (text, answer.text)
