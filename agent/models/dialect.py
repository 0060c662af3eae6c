"""Dialect: deviations of a service for one model, as this process has learned them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from agent.models.adaptations import adapt

REMEMBERED_SECONDS: Final = 3600.0
"""Seconds that a refusal of a service is remembered. The service may be fixed, or a gateway may
have used another service once."""

MAX_DIALECTS: Final = 64

_TRUSTED_ANSWERS: Final = 3
"""Answers without reasoning after which a model is no longer expected to start with reasoning."""

_OPENS_THINKING: Final = re.compile(
    r"deepseek-r1|\bqwq\b|[-_]thinking\b|minimax-m2|nemotron.{0,40}nano", re.IGNORECASE
)
"""Names of models whose templates begin the reasoning in the prompt, so that only `</think>` comes,
unless the service has a parser for it."""


class Dialect:
    """Fields that requests for a model leave out, and how the model's answers begin."""

    def __init__(self, model: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._trust = 1 if _OPENS_THINKING.search(model) else 0
        self._clock = clock
        self._refused: dict[str, float] = {}

    @property
    def opens_thinking(self) -> bool:
        """Whether answers are expected to begin with reasoning that has no first tag."""
        return self._trust > 0

    def note_lone_end(self) -> None:
        """Learns that an answer had the end tag of such reasoning."""
        self._trust = _TRUSTED_ANSWERS

    def note_no_end(self) -> None:
        """Learns that an answer was held back for such a tag, and had none."""
        self._trust = max(self._trust - 1, 0)

    @property
    def refused(self) -> list[str]:
        """The fields that the service has refused, as agent.models.refused_field names them."""
        now = self._clock()
        return [part for part, until in self._refused.items() if until > now]

    def refuse(self, parts: Sequence[str]) -> None:
        """Leaves these out of all further requests."""
        until = self._clock() + REMEMBERED_SECONDS
        self._refused |= dict.fromkeys(parts, until)

    def adapted(self, body: Mapping[str, object], more: Sequence[str] = ()) -> dict[str, object]:
        """A request as the service accepts it; `more`: further parts to leave out."""
        adapted = dict(body)
        for part in (*self.refused, *more) if self._refused or more else ():
            adapt(adapted, part)
        return adapted


class Dialects:
    """The dialects of one service, by model; beyond MAX_DIALECTS, the oldest are forgotten."""

    def __init__(self) -> None:
        self._dialects: dict[str, Dialect] = {}

    def of(self, model: str) -> Dialect:
        """The dialect of a model, the same one each time."""
        dialect = self._dialects.get(model)
        if dialect is None:
            while len(self._dialects) >= MAX_DIALECTS:
                del self._dialects[next(iter(self._dialects))]
            dialect = self._dialects[model] = Dialect(model)
        return dialect
