"""RoomTemplates: the rooms that somebody's claims give, by several templates together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from agent.config.claim_template import ClaimTemplate, Filled


class RoomTemplates:
    """Fills templates so that no claim's value makes a room of one look like a room of another.

    With `user:{sub} user:{sub}:*`, a `sub` of `alice:x` would get a room of Alice's. So a template
    gives nothing where another one may give the same room to somebody. Templates that may do that
    whatever the values are (`team:{team}:*` and `*`) both count: they were written to share rooms.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        templates = [ClaimTemplate(text) for text in texts]
        self._templates: Final = [
            (template, [each for each in templates if not each.may_give(template.sample)])
            for template in templates
        ]

    def fill(self, claims: Mapping[str, object]) -> Iterator[Filled]:
        """The rooms for somebody with these claims."""
        for template, others in self._templates:
            for filled in template.fill(claims):
                if not any(each.may_give(filled.sample) for each in others):
                    yield filled
