"""The time, and how it is written on the wire."""

from datetime import UTC, datetime


def now() -> datetime:
    """The time in UTC."""
    return datetime.now(UTC)


def to_iso(moment: datetime) -> str:
    """ISO 8601 with milliseconds, UTC as `Z`: what JavaScript's `toISOString()` writes."""
    text = moment.isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z" if moment.tzinfo is UTC else text


def to_ms(moment: datetime) -> int:
    """Milliseconds since 1970: what JavaScript's `Date.now()` returns."""
    return int(moment.timestamp() * 1000)
