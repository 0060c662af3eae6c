"""VisibleText: the part of a model's text for readers: no reasoning, and only whole characters.

Reasoning stands between `<think>` and `</think>`, wherever a service's parser has left it in the
text. Templates of some models (DeepSeek-R1, QwQ, Qwen3-Thinking) put the first tag into the prompt,
so that only the second one comes (vllm-project/vllm#31045, sgl-project/sglang#3668).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_TAG: Final = re.compile("</?think>")
_OPENING: Final = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",  # Gemini's compatible endpoint
    "<seed:think>": "</seed:think>",
    "<THINK>": "</THINK>",
    "<reasoning>": "</reasoning>",
    "[THINK]": "[/THINK]",  # Magistral
    "◁think▷": "◁/think▷",  # Kimi-VL
    "<|begin_of_thought|>": "<|end_of_thought|>",  # Sky-T1
    "<|channel>thought": "<channel|>",  # Gemma 4
    # gpt-oss: the last channel has the answer, and others are not for readers.
    "<|channel|>analysis<|message|>": "<|channel|>final<|message|>",
    "<|channel|>commentary": "<|channel|>final<|message|>",
    "<|channel|>final<|message|>": "",
}
"""Tags of reasoning at the beginning of an answer; later it only begins with `<think>`."""

_QUOTES: Final = "`'\""
"""After one of these a tag is quoted text, and begins or ends nothing."""

MAX_REASONING: Final = 2**20
"""Characters of reasoning that are kept of one answer."""


class VisibleText:
    """Takes the text of one answer in any pieces.

    Args:
        opens_thinking: the model is believed to begin with reasoning that has no first tag. Its
            text is buffered until the end tag confirms that, or the answer ends without one.
        on_reasoning: called with each piece of reasoning, as soon as it is certain to be reasoning.

    Attributes:
        lone_end: whether there was an end tag without a first tag.
    """

    def __init__(
        self,
        *,
        opens_thinking: bool = False,
        on_reasoning: Callable[[str], None] | None = None,
    ) -> None:
        self._on_reasoning = on_reasoning
        self.lone_end = False
        self.held_in_vain = False
        """Whether text was held back for a tag that did not come."""
        self._assumed = opens_thinking
        self._end: str | None = "</think>" if opens_thinking else None
        """The tag that ends the reasoning in progress."""
        self._hidden: list[str] = []
        """The reasoning in progress."""
        self._mentioned = ""
        """The tag that began it, if that may have been no more than a mention."""
        self._reasoning: list[str] = []
        self._size = 0
        self._tail = ""
        """Text that may be the beginning of a tag."""
        self._half = ""
        """The first half of a surrogate pair."""
        self._last = ""
        """The last character that was yielded, "" while there were only blanks."""
        self._has_reasoned = False

    @property
    def reasoning(self) -> str:
        """The model's thoughts so far, at most MAX_REASONING characters of it."""
        return "".join(self._reasoning)

    def think(self, text: str) -> None:
        """Takes reasoning that the service separates from the text."""
        self._has_reasoned = True
        self._keep(text)
        if self._assumed:
            # A service that separates reasoning leaves none in the text.
            self._assumed, self._end, self.held_in_vain = False, None, True
            self._tail = "".join(self._hidden) + self._tail
            self._hidden.clear()

    def push(self, text: str) -> str:
        """The next piece; yields text that is certain to be for readers."""
        if self._half or not text.isascii():
            text = self._whole_characters(text)
        if self._end is None and not self._tail and self._last and "<" not in text:
            self._last = text[-1:] or self._last
            return text
        return self._sort(text)

    def finish(self, *, complete: bool) -> str:
        """Text that was held back and is for readers.

        Args:
            complete: whether the model has finished its answer.
        """
        if self._half:
            self._tail += "\ufffd"
            self._half = ""
        rest = "".join(self._hidden) + self._tail
        tag, end = self._mentioned, self._end
        self._tail, self._mentioned, self._end = "", "", None
        self._hidden.clear()
        if end is None:
            return self._given(rest)
        if self._assumed and complete:
            self.held_in_vain = True
            return self._given(rest)
        if tag and complete:
            return self._given(tag + rest)
        self._keep(rest)
        return ""

    def _whole_characters(self, text: str) -> str:
        """Joins halves of surrogate pairs that were cut apart; a lone one becomes U+FFFD."""
        text = self._half + text
        self._half = ""
        if "\ud800" <= text[-1:] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return whole_characters(text)

    def _sort(self, text: str) -> str:
        text = self._tail + text
        self._tail = ""
        given: list[str] = []
        while text:
            is_start = not (self._last or self._hidden or any(given))
            rest = (
                self._opening(text) if is_start and (self._end is None or self._assumed) else None
            )
            if rest is not None:
                text = rest
            elif self._end is not None:
                text = self._think_on(text)
            else:
                text = self._read_on(text, given)
        return "".join(given)

    def _think_on(self, text: str) -> str:
        """Reasoning up to its end; what follows it."""
        end = self._end or ""
        at = text.find(end)
        if at < 0:
            cut = len(text) - _partial(text, end)
            if self._assumed or self._mentioned:
                self._hidden.append(text[:cut])
            else:
                self._keep(text[:cut])
            self._tail = text[cut:]
            return ""
        self._hidden.append(text[:at])
        self.lone_end = self.lone_end or self._assumed
        self._assumed = False
        self._has_reasoned = True
        self._keep("".join(self._hidden))
        self._hidden.clear()
        self._end, self._mentioned = None, ""
        return text[at + len(end) :]

    def _opening(self, text: str) -> str | None:
        """The text after the tag that an answer begins with, "" if that is not certain yet."""
        stripped = text.lstrip()
        for tag, end in _OPENING.items():
            if stripped.startswith(tag):
                self._end, self._assumed = end, False
                return stripped.removeprefix(tag)
        if any(tag.startswith(stripped) for tag in _OPENING):
            self._tail = text
            return ""
        return None

    def _read_on(self, text: str, given: list[str]) -> str:
        """Text up to the next tag; what follows that."""
        found = _TAG.search(text)
        if found is None:
            cut = len(text) - max(_partial(text, "<think>"), _partial(text, "</think>"))
            given.append(self._given(text[:cut]))
            self._tail = text[cut:]
            return ""
        tag, before = found[0], text[: found.start()]
        rest = text[found.end() :]
        if (before or self._last)[-1:] in tuple(_QUOTES):
            given.append(self._given(before + tag))
        elif tag == "<think>":
            given.append(self._given(before))
            self._end = "</think>"
            self._mentioned = tag if self._last not in ("", "\n") else ""
        elif self._has_reasoned:
            given.append(self._given(before))
        else:
            # All that has not been given was reasoning.
            self.lone_end = self._has_reasoned = True
            self._keep("".join(given) + before)
            given.clear()
            self._last = ""
        return rest

    def _given(self, text: str) -> str:
        """Text for readers; without the blanks that follow on reasoning."""
        if self._has_reasoned and not self._last:
            text = text.lstrip()
        if self._last or not text.isspace():
            self._last = text[-1:] or self._last
        return text

    def _keep(self, reasoning: str) -> None:
        reasoning = reasoning[: MAX_REASONING - self._size]
        self._size += len(reasoning)
        self._reasoning.append(reasoning)
        if reasoning and self._on_reasoning is not None:
            self._on_reasoning(reasoning)


def whole_characters(text: str) -> str:
    """Text without halves of surrogate pairs, which cannot be encoded: U+FFFD stands for them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _partial(text: str, tag: str) -> int:
    """The number of characters at the end of a text that begin a tag."""
    for length in range(min(len(tag) - 1, len(text)), 0, -1):
        if text.endswith(tag[:length]):
            return length
    return 0
