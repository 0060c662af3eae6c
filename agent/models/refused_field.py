"""Finds the part of a request that a service refuses, from the text of its refusal."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final, cast

from agent.models.error_report import ErrorReport

PARALLEL: Final = "parallel_tool_calls"

FIELDS: Final = (
    "stream_options",
    PARALLEL,
    "tool_choice",
    "temperature",
    "reasoning_effort",
    "service_tier",
    "max_completion_tokens",
)
"""Optional fields of a request; a field that the error names is the refused one."""

TOOLS: Final = "tools"
PICTURES: Final = "image_url"
SYSTEM: Final = "system"
"""Messages of role `system`."""

THOUGHTS: Final = "reasoning_content"
"""The model's thoughts, in messages of the model."""

NO_CONTENT: Final = "messages without content"
"""Messages of the model that have only tool calls."""

ROLES_IN_A_ROW: Final = "messages of one role in a row"

NO_THOUGHTS: Final = "messages without reasoning_content"

_REFUSING: Final = frozenset({400, 404, 405, 415, 422, 500, 501})
"""404: OpenRouter has no provider that takes the field; 500: llama.cpp without `--jinja`."""

_INVALID: Final = frozenset({400, 422})

_NO: Final = (
    r"(?:not (?:been )?(?:support|enabl|allow|permit|available|implement)\w*|n't support\w*"
    r"|unsupported|unknown|unrecogni[sz]ed|unexpected|extra (?:inputs|fields)|forbidden|disabled"
    r"|cannot find field|requires? --|no endpoints found that support|support for"
    r"|does not have)"
)
_OF_TOOLS: Final = r"(?:\btools?\b|\bfunctions?\b|\btool[ _-](?:use|calls?|calling|choice)\b)"
_WORD: Final = re.compile(r"\w+")
_CAMEL: Final = re.compile(r"(?<=[a-z])[A-Z]")
_PARALLEL_CALLS: Final = r"\bparallel[ _-](?:tool|function)\b"
_NO_PARALLEL: Final = re.compile(
    rf"{_PARALLEL_CALLS}.{{0,60}}{_NO}|{_NO}.{{0,60}}{_PARALLEL_CALLS}", re.IGNORECASE
)

_NO_TOOLS: Final = re.compile(
    rf"{_NO}.{{0,60}}{_OF_TOOLS}|{_OF_TOOLS}.{{0,60}}{_NO}", re.IGNORECASE
)
_ONE_TOOL: Final = re.compile(
    r"schema|tool_call_id|role 'tool'|tool_calls\b.*\bmust be|\btools?[.\[]\d", re.IGNORECASE
)
"""The error is about one tool or message, not about tools as such."""

_NO_PICTURES: Final = re.compile(
    rf"{_NO}.{{0,60}}\b(?:images?|image_url|vision|multimodal)\b"
    rf"|\b(?:images?|image_url|vision|multimodal)\b.{{0,60}}{_NO}"
    r"|unknown variant `image_url`|not a multimodal model",
    re.IGNORECASE,
)
_NO_SYSTEM: Final = re.compile(
    rf"\bsystem\b.{{0,30}}(?:role|message|instruction)s?.{{0,30}}{_NO}"
    r"|(?:developer|system) instructions? is not enabled"
    r"|first message must (?:use|be|have)\b.{0,20}\buser\b",
    re.IGNORECASE,
)
_NO_ROLE: Final = re.compile(
    r"\bmessages\b.{0,4}\b0\b.{0,4}\brole\b"
    r"|\brole\b.{0,30}\b(?:must|should) be (?:one of |either )?\W?(?:user|assistant)\b",
    re.IGNORECASE,
)
"""Something is wrong with the role of the first message."""
_NO_CONTENT: Final = re.compile(
    r"missing (?:field|properties:?) [`']?content|content'?:? (?:field )?(?:is )?required"
    r"|property 'content' is missing",
    re.IGNORECASE,
)
_ALTERNATE: Final = re.compile(
    r"roles? must (?:be )?alternat|alternate between|alternating|consecutive|same role|in a row",
    re.IGNORECASE,
)
_MISSING: Final = re.compile(
    r"missing|must be (?:passed|included|provided)|must include|required", re.I
)


def refused_part(status: int, report: ErrorReport, body: Mapping[str, object]) -> str | None:
    """Returns the fields to leave out (for NO_THOUGHTS: to add) when the request is sent again.

    Only parts of the request count: a service that refuses an absent part means something else.
    """
    if status not in _REFUSING:
        return None
    named = " ".join(filter(None, (report.param, *report.fields, report.message)))
    if THOUGHTS in named:
        return _thoughts(named, body)
    part = _field(report, named, body) or _other_part(report, body)
    if part is None and _has_roles_in_a_row(body):
        # Templates word this in many ways, some not at all; one more request does no harm.
        said = _ALTERNATE.search(report.message)
        part = ROLES_IN_A_ROW if said or status in _INVALID else None
    return part


def _field(report: ErrorReport, named: str, body: Mapping[str, object]) -> str | None:
    sent = [name for name in FIELDS if name in body]
    exactly = [name for name in sent if name == report.param or name in report.fields]
    words = frozenset(_CAMEL.sub(_snake, word) for word in _WORD.findall(named))
    mentioned = [name for name in sent if name in words]
    if PARALLEL in sent and _NO_PARALLEL.search(report.message):
        mentioned.append(PARALLEL)
    return next(iter((*exactly, *mentioned)), None)


def _snake(found: re.Match[str]) -> str:
    return f"_{found[0].lower()}"


def _other_part(report: ErrorReport, body: Mapping[str, object]) -> str | None:
    if TOOLS in body and _is_about_tools(report):
        return TOOLS
    if _NO_PICTURES.search(report.message) and _has_pictures(body):
        return PICTURES
    if _NO_CONTENT.search(report.message) and _lacks_content(body):
        return NO_CONTENT
    if _is_about_system(report, body):
        return SYSTEM
    return None


def _is_about_system(report: ErrorReport, body: Mapping[str, object]) -> bool:
    if _NO_SYSTEM.search(report.message):
        return True
    roles = [message.get("role") for message in _messages(body)]
    if "system" not in roles:
        return False
    said = " ".join((*report.fields, report.message))
    # Templates without a role `system` report it as roles that do not alternate.
    is_in_turn = not _has_roles_in_a_row(body)
    return bool(_NO_ROLE.search(said) or (is_in_turn and _ALTERNATE.search(report.message)))


def _is_about_tools(report: ErrorReport) -> bool:
    if report.param == TOOLS or TOOLS in report.fields:
        return True
    message = report.message
    return bool(_NO_TOOLS.search(message)) and not _ONE_TOOL.search(message)


def _thoughts(named: str, body: Mapping[str, object]) -> str | None:
    has_some = any(THOUGHTS in message for message in _messages(body))
    if _MISSING.search(named):
        return NO_THOUGHTS
    return THOUGHTS if has_some else None


def _has_roles_in_a_row(body: Mapping[str, object]) -> bool:
    roles = [message.get("role") for message in _messages(body)]
    return any(role == before != "tool" for before, role in pairwise(roles))


def _lacks_content(body: Mapping[str, object]) -> bool:
    return any(message.get("content") is None for message in _messages(body))


def _has_pictures(body: Mapping[str, object]) -> bool:
    return any(
        isinstance(part, dict) and cast("dict[str, Any]", part).get("type") == PICTURES
        for message in _messages(body)
        if isinstance(content := message.get("content"), list)
        for part in cast("list[object]", content)
    )


def _messages(body: Mapping[str, object]) -> Sequence[Mapping[str, Any]]:
    return cast("Sequence[Mapping[str, Any]]", body.get("messages") or ())
