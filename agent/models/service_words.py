"""ServiceWords: a service's error text for the log, without the conversation that it may quote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from agent.models.error_report import ErrorReport

_WINDOW: Final = 12
"""Characters in a row that are taken for a quotation."""

_MAX_CONTENT: Final = 2**20
"""Characters of the conversation that are looked through, the latest ones."""


class ServiceWords:
    """Removes quotations of one request, and its key, from a service's text.

    Args:
        body: the request.
        secret: the API key.
    """

    def __init__(self, body: Mapping[str, object] | None = None, secret: str | None = None) -> None:
        self._body = body or {}
        self._secret = secret
        self._content: str | None = None

    def report(self, body: object) -> ErrorReport:
        """Returns an error's text, fit for the log and for people."""
        report = ErrorReport.of(body)
        message = self._without_secret(report.message)
        return ErrorReport(
            message=self._without_content(message),
            code=report.code,
            kind=report.kind,
            param=report.param,
            fields=report.fields,
            status=report.status,
        )

    def _without_secret(self, text: str) -> str:
        return text.replace(self._secret, "***") if self._secret else text

    def _without_content(self, text: str) -> str:
        """Replaces each run of characters that stands in the conversation, too, by an ellipsis."""
        if self._content is None:
            self._content = _content_of(self._body)
        content = self._content
        if not content:
            return text
        kept: list[str] = []
        at = 0
        while at < len(text):
            end = at + _WINDOW
            if end > len(text) or text[at:end] not in content:
                kept.append(text[at])
                at += 1
                continue
            while end < len(text) and text[at : end + 1] in content:
                end += 1
            kept.append("…")
            at = end
        return "".join(kept)


def _content_of(body: Mapping[str, object]) -> str:
    """Texts of people, tools and the model in a request; the instructions are the operator's."""
    texts: list[str] = []
    messages = cast("Sequence[Mapping[str, Any]]", body.get("messages") or ())
    for message in messages:
        if message.get("role") in {"system", "developer"}:
            continue
        content = message.get("content")
        if isinstance(content, str):
            texts.append(content)
        elif isinstance(content, list):
            parts = cast("list[dict[str, Any]]", content)
            texts += [str(part["text"]) for part in parts if part.get("text")]
        for call in message.get("tool_calls") or ():
            texts.append(str(call["function"]["arguments"]))
    # Services write line ends as blanks, or as escapes, which end a quotation.
    return " ".join(" ".join(texts).split())[-_MAX_CONTENT:]
