"""ClaimTemplate: a text with claims of somebody's identity in it, such as `team:{team}:*`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast

MAX_LENGTH: Final = 128
"""Longest text that a template gives: of an identity, a room's name, a role."""
MAX_VALUES: Final = 100
"""Elements of a claim that is a list; the rest is left out."""

_CLAIM: Final = re.compile(r"\{([^{}\s,]+)\}")
_WILDCARD: Final = "*"
_GAP: Final = re.compile(r"\{[^{}\s,]+\}|\*")
_ANY: Final = "\0"
"""Stands for any text; no claim's value has it."""


@dataclass(frozen=True, slots=True)
class Filled:
    """The result of a template: one text, or all texts with a given beginning and end.

    Attributes:
        before: the whole text, or how it begins.
        after: how it ends, with at least one character between; None if there is no wildcard.
    """

    before: str
    after: str | None = None

    @property
    def sample(self) -> str:
        """The text, or one of them."""
        return self.before if self.after is None else f"{self.before}{_ANY}{self.after}"

    def matches(self, text: str) -> bool:
        if self.after is None:
            return text == self.before
        shortest = len(self.before) + len(self.after)
        return len(text) > shortest and text.startswith(self.before) and text.endswith(self.after)


class ClaimTemplate:
    """Text, `{claim}`s and at most one `*`.

    A claim is a top-level one, else a path with dots (`realm_access.roles`). No value can make one
    text look like another: what stands between a claim and a later claim or wildcard is not
    allowed in the claim's value. So `{a}:{b}` leaves out an `a` with a colon.

    Raises:
        ValueError: the text is no such template.
    """

    def __init__(self, text: str, *, forbidden: tuple[str, ...] = ()) -> None:
        """`forbidden`: texts that no claim's value may have; a value that has one is left out."""
        self.text = text
        self._forbidden = forbidden
        pieces = _CLAIM.split(text)
        self._literals = pieces[::2]
        self._claims = pieces[1::2]
        rest = "".join(self._literals)
        if "{" in rest or "}" in rest:
            raise ValueError("a claim is written as {name}")
        if rest.count(_WILDCARD) > 1:
            raise ValueError("at most one *")
        if any("" in self._separators(i) for i in range(len(self._claims))):
            raise ValueError("text between a claim and the next claim or *")

    @property
    def has_wildcard(self) -> bool:
        return any(_WILDCARD in literal for literal in self._literals)

    @property
    def sample(self) -> str:
        """The result for values that match no other template's."""
        return _GAP.sub(_ANY, self.text)

    def may_give(self, text: str) -> bool:
        """Whether some claims could make it give this text, or nearly this text."""
        first, *rest = _GAP.split(self.text)
        if not rest or not text.startswith(first):
            return text == first
        end = len(first)
        for literal in rest[:-1]:
            start = text.find(literal, end + 1)
            if start < 0:
                return False
            end = start + len(literal)
        return len(text) - len(rest[-1]) > end and text.endswith(rest[-1])

    def fill(self, claims: Mapping[str, object]) -> Iterator[Filled]:
        """The texts for somebody with these claims; none where a claim is missing or unfit.

        One claim may be a list: then there is a text for each element.
        """
        choices = [_values(claims, name) for name in self._claims]
        if not all(choices) or sum(len(values) > 1 for values in choices) > 1:
            return
        for n in range(max((len(values) for values in choices), default=1)):
            values = [each[n] if len(each) > 1 else each[0] for each in choices]
            if self._are_fit(values):
                yield self._filled(values)

    def text_for(self, claims: Mapping[str, object]) -> str:
        """The first text without a wildcard, or an empty one."""
        return next((each.before for each in self.fill(claims) if each.after is None), "")

    def _separators(self, i: int) -> list[str]:
        """The texts between claim `i` and the wildcards beside it, or the next claim."""
        left, right = self._literals[i], self._literals[i + 1]
        separators: list[str] = []
        if _WILDCARD in left:
            separators.append(left.partition(_WILDCARD)[2])
        if _WILDCARD in right:
            separators.append(right.partition(_WILDCARD)[0])
        elif i + 1 < len(self._claims):
            separators.append(right)
        return separators

    def _are_fit(self, values: list[str]) -> bool:
        return not any(
            separator in value
            for i, value in enumerate(values)
            for separator in (*self._forbidden, *self._separators(i))
        )

    def _filled(self, values: list[str]) -> Filled:
        before, after = "", None
        for i, literal in enumerate(self._literals):
            start, wildcard, end = literal.partition(_WILDCARD)
            value = values[i - 1] if i else ""
            if after is None:
                before += value + start
            else:
                after += value + start
            if wildcard:
                after = end
        return Filled(before, after)


def _values(claims: Mapping[str, object], name: str) -> list[str]:
    value = _claim(claims, name)
    elements = cast("list[object]", value)[:MAX_VALUES] if isinstance(value, list) else [value]
    return [text for each in elements if (text := _text(each))]


def _claim(claims: Mapping[str, object], name: str) -> object:
    if name in claims:
        return claims[name]
    value: object = claims
    for key in name.split("."):
        value = _member(value, key)
    return value


def _member(value: object, key: str) -> object:
    return cast("Mapping[str, object]", value).get(key) if isinstance(value, Mapping) else None


def _text(value: object) -> str:
    """A claim's value; empty where it is no short line of text."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    text = str(value)
    fits = 0 < len(text) <= MAX_LENGTH and text.isprintable() and text == text.strip()
    return text if fits else ""
