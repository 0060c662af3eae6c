"""The pause that a service asks for: the header `Retry-After`.

https://www.rfc-editor.org/rfc/rfc9110#field.retry-after; OpenAI and Azure say it in milliseconds,
too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from the response on, 0 for a time that has passed; None if there is no such
    header."""
    if (milliseconds := _number(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    said = headers.get("retry-after")
    if (seconds := _number(said)) is not None:
        return seconds
    moment = _moment(said)
    if moment is None:
        return None
    # By the service's own clock, if it sends a `Date`: this machine's may differ.
    now = _moment(headers.get("date")) or datetime.now(UTC)
    return max((moment - now).total_seconds(), 0.0)


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return max(number, 0.0) if math.isfinite(number) else None


def _moment(text: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
