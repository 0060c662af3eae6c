"""Failures of a request as livekit-agents' exceptions, with the service's own text.

The text is short and does not quote the conversation, since it ends up in logs.
"""

from __future__ import annotations

import os
import re
from typing import cast

import aiohttp
import msgspec
from livekit.agents import APIConnectionError, APIStatusError, APITimeoutError

from agent.models.error_report import ErrorReport
from agent.models.retry_after import retry_after
from agent.models.service_words import ServiceWords

MAX_BODY_BYTES = 64 * 2**10
_CLIENT_ERRORS = range(400, 500)
_PASSING = frozenset({408, 429})
_FILTER_CODES = frozenset(
    {
        "content_filter",  # Azure
        "content_policy_violation",  # OpenAI, LiteLLM
        "moderation_blocked",
        "data_inspection_failed",  # DashScope
        "DataInspectionFailed",
        "1301",  # Zhipu
    }
)
_FILTER_WORDS = re.compile(
    r"content management policy|content filter|content policy|Content Exists Risk", re.IGNORECASE
)


class BrokenAnswerError(Exception):
    """An answer broke off, or was malformed: the cause of an APIConnectionError.

    Attributes:
        report: the service's text, if there was one.
    """

    def __init__(self, reason: str, report: ErrorReport | None = None) -> None:
        super().__init__(reason)
        self.report = report or ErrorReport()


class EndedEarlyError(BrokenAnswerError):
    """The body ended in good order, but with neither a finish reason nor `[DONE]`."""

    def __init__(self) -> None:
        super().__init__("The stream ended before the answer did.")


class RefusedRequestError(Exception):
    """The service answered with a status other than 200: the cause of an APIStatusError.

    Attributes:
        report: the service's text.
        retry_after: seconds from its `Retry-After`, if it sent one.
    """

    def __init__(self, report: ErrorReport, retry_after: float | None) -> None:
        super().__init__(report.message or "no message")
        self.report = report
        self.retry_after = retry_after


def status_error(
    response: aiohttp.ClientResponse, body: bytes, words: ServiceWords | None = None
) -> APIStatusError:
    """The exception for an answer of any status but 200; `body` is the part of it that was read."""
    text = body.decode(errors="replace").strip()
    words = words or ServiceWords()
    report = words.report(text)
    data = _api_error(text, report, words)
    told = f" - {report.message}" if isinstance(data, dict) else ""
    error = APIStatusError(
        f"Error code: {response.status}{told}",
        status_code=response.status,
        request_id=response.headers.get("x-request-id"),
        body=data,
    )
    error.__cause__ = RefusedRequestError(report, retry_after(response.headers))
    return error


def stream_error(error: object, words: ServiceWords | None = None) -> APIConnectionError:
    """The exception for an event with an `error`, which a server sends once the stream is open."""
    report = (words or ServiceWords()).report(error)
    reason = report.message or "An error occurred during streaming"
    failure = broken_answer(BrokenAnswerError(reason, report))
    if report.status in _CLIENT_ERRORS and report.status not in _PASSING:
        failure.retryable = False
    return failure


def broken_answer(
    reason: str | BrokenAnswerError, cause: BaseException | None = None
) -> APIConnectionError:
    """The exception for an answer that broke off or is malformed, to be raised later.

    Its cause names the reason: livekit-agents tells it where the error is logged.
    """
    error = APIConnectionError()
    error.__cause__ = BrokenAnswerError(reason) if isinstance(reason, str) else reason
    error.__cause__.__cause__ = cause
    return error


def report_of(error: BaseException | None) -> ErrorReport:
    """Returns the service's description of a failure; empty if it gave none."""
    cause = error.__cause__ if error is not None else None
    told = isinstance(cause, BrokenAnswerError | RefusedRequestError)
    return cause.report if told else ErrorReport()


def retry_after_of(error: BaseException) -> float | None:
    """Seconds from the service's `Retry-After`, if it sent one."""
    cause = error.__cause__
    return cause.retry_after if isinstance(cause, RefusedRequestError) else None


def status_of(error: BaseException | None) -> int | None:
    """The HTTP status of a failure, also of one that came in the middle of a stream."""
    return error.status_code if isinstance(error, APIStatusError) else report_of(error).status


def is_withheld(error: BaseException | None) -> bool:
    """Whether a content filter refused the request, or stopped the answer."""
    said = report_of(error)
    return bool({said.code, said.kind} & _FILTER_CODES or _FILTER_WORDS.search(said.message))


def describe(error: BaseException) -> str:
    """A failure on one line, for the log."""
    if isinstance(error, APITimeoutError):
        return "no answer in time"
    if isinstance(error, APIStatusError):
        said = report_of(error)
        code = f", code {said.code}" if said.code and said.code != str(error.status_code) else ""
        return f"status {error.status_code}{code}: {said.message or 'no message'}"
    cause = error.__cause__
    if isinstance(cause, BrokenAnswerError):
        return str(cause)
    if isinstance(cause, OSError) and cause.errno:
        return f"no connection: {os.strerror(cause.errno)}"
    if cause is not None:
        return f"no connection: {type(cause).__name__}"
    return f"{type(error).__name__}: {error}"


def _api_error(text: str, report: ErrorReport, words: ServiceWords) -> dict[str, object] | str:
    """The API's error object, `{message, type, param, code}`, or else the start of the body."""
    try:
        body: object = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return report.message
    found = cast("dict[str, object]", body).get("error") if isinstance(body, dict) else None
    error = cast("dict[str, object]", found or body) if isinstance(found or body, dict) else {}
    known = {key: error[key] for key in ("message", "type", "param", "code") if key in error}
    if known and all(isinstance(value, str | int | None) for value in known.values()):
        return known | ({"message": report.message} if "message" in known else {})
    rest = cast("object", found or body)
    return words.report(rest if isinstance(rest, str) else str(rest)).message
