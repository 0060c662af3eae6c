"""Elicitations: a tool asks the person something, and the app answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from livekit import rtc

from agent.client.asked_questions import AskedQuestions, Begin, Payload
from agent.client.patience import Patience


@dataclass(frozen=True, slots=True)
class Elicitation:
    """A question of a tool's.

    Attributes:
        schema: JSON schema of the fields to fill in; None: there are none.
        url: a page to open, once the person agrees; empty: there is none.
        timeout: seconds in which the agent needs to know.
    """

    question_id: str
    call_id: str
    tool: str
    message: str
    schema: Mapping[str, Any] | None
    url: str
    timeout: float


Fields = Mapping[str, Any]
Answer = Callable[[Elicitation], Awaitable[Fields | bool | None]]
"""Returns the fields, or True; False says no, and None neither yes nor no."""


def asked_elicitations(
    room: rtc.Room,
    *,
    is_agent: Callable[[str], bool],
    answer: Callable[[], Answer | None],
    patience: Patience,
    on_withdrawn: Callable[[Payload], None],
) -> AskedQuestions[Fields | bool | None]:
    """Answers the agent's calls of `elicit`. `answer` returns the app's current function, or None
    if nobody can be asked."""

    def begin(asked: Payload) -> Begin[Fields | bool | None] | None:
        answers = answer()
        return None if answers is None else partial(answers, _elicitation(asked))

    return AskedQuestions(
        room,
        "elicit",
        id_field="questionId",
        is_agent=is_agent,
        answer=begin,
        encode=_encoded,
        patience=patience,
        on_withdrawn=on_withdrawn,
    )


def _elicitation(asked: Payload) -> Elicitation:
    return Elicitation(
        asked["questionId"],
        asked["callId"],
        asked["tool"],
        asked["message"],
        asked.get("schema"),
        asked.get("url", ""),
        asked["timeout"],
    )


def _encoded(given: Fields | bool | None) -> Mapping[str, object]:
    if given is None:
        return {"action": "cancel"}
    if given is False:
        return {"action": "decline"}
    content: Fields = {} if given is True else given
    return {"action": "accept", "content": dict(content)}
