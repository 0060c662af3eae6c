"""The payload of an elicitation, and a client's answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Final, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict

from agent.tool_calls.approval_question import Verdict
from toolkit.errors import InvalidArguments, ToolError, Unavailable
from toolkit.questions import Elicitation, Elicited

METHOD: Final = "elicit"

Outcome: TypeAlias = Literal["accept", "decline", "cancel", "unanswered", "cancelled"]

MAX_ANSWER_BYTES: Final = 14_000
"""Bytes of the fields that somebody filled in."""

MAX_MESSAGE: Final = 4_000
"""Characters of a question."""


class Answer(BaseModel):
    """A client's answer: `{"action": "accept" | "decline" | "cancel", "content"?: {…}}`."""

    model_config = ConfigDict(strict=True, frozen=True)

    action: Literal["accept", "decline", "cancel"]
    content: dict[str, object] | None = None


def reader(elicitation: Elicitation) -> Callable[[str], Verdict]:
    """Reads answers to a question; what it returns raises ValueError.

    Raises:
        InvalidArguments: the question cannot be shown.
    """
    if elicitation.url and not _is_plain(elicitation.url):
        raise InvalidArguments(
            "A page that somebody is to open begins with http:// or https:// and a host, without a "
            "user's name or a backslash before it ends, spaces and characters that are not shown"
        )
    check = _checker(elicitation.schema)

    def read(text: str) -> Verdict:
        if len(text.encode()) > MAX_ANSWER_BYTES:
            raise ValueError("too long")
        answer = Answer.model_validate_json(text)
        match answer.action:
            case "accept":
                content = answer.content or {}
                check(content)
                return Verdict("approved", content=content)
            case "decline":
                return Verdict("refused")
            case "cancel":
                return Verdict("unanswered")

    return read


def elicited(verdict: Verdict) -> Elicited:
    """A participant's reaction to a question, in MCP's terms.

    Raises:
        Unavailable: nobody has answered; the message says why.
    """
    if not verdict.by:
        raise Unavailable(f"Nobody has answered the question: {verdict.reason}")
    if verdict.outcome == "approved":
        return Elicited("accept", verdict.content)
    return Elicited("decline" if verdict.outcome == "refused" else "cancel")


def outcome(verdict: Verdict) -> Outcome:
    """The end of a question, for the client that shows it."""
    if verdict.by:
        return elicited(verdict).action
    return "cancelled" if verdict.outcome == "cancelled" else "unanswered"


def _is_plain(url: str) -> bool:
    """Whether a URL shows plainly where it leads: nothing stands before the host, which no
    backslash ends (browsers take it for a slash), and no character is invisible or changes the
    direction."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    is_web = parts.scheme in {"http", "https"} and bool(parts.hostname)
    is_shown = url.isprintable() and " " not in url
    return is_web and is_shown and not {"@", "\\"} & set(parts.netloc)


def _checker(schema: Mapping[str, object] | None) -> Callable[[Mapping[str, object]], object]:
    if schema is None:
        return _has_nothing
    # Imported here, since most rooms need no JSON schemas: 4 MB.
    from toolkit.schema_parameters import SchemaParameters  # noqa: PLC0415

    try:
        parameters = SchemaParameters.of(schema)
    except ValueError as error:
        raise InvalidArguments(f"The form cannot be shown: {error}") from None

    def check(content: Mapping[str, object]) -> None:
        try:
            parameters.validate(content)
        except ToolError as error:
            raise ValueError(json.dumps(error.details)) from None

    return check


def _has_nothing(content: Mapping[str, object]) -> None:
    if content:
        raise ValueError("there was nothing to fill in")
