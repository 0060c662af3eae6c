"""PartLimits: limits of the parts of an answer."""

from __future__ import annotations

from dataclasses import dataclass

from agent.config.settings import Settings


@dataclass(frozen=True, slots=True)
class PartLimits:
    """Attributes:
    count: parts of one answer; 0: none are shown.
    part_bytes: of JSON in one part.
    answer_bytes: of JSON in all parts of one answer, as they are at last.
    """

    count: int
    part_bytes: int
    answer_bytes: int

    @classmethod
    def of(cls, settings: Settings) -> PartLimits:
        return cls(settings.max_parts, settings.max_part_bytes, settings.max_parts_bytes)
