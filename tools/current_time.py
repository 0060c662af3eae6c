"""getCurrentTime: the time, here or elsewhere."""

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field

from toolkit import InvalidArguments, tool
from toolkit.clock import now, to_iso


@tool
async def get_current_time(
    timezone: Annotated[
        str, Field(max_length=64, description="IANA time zone, such as Europe/Paris")
    ] = "UTC",
) -> str:
    """Get the current date and time as ISO 8601 text, in UTC unless a time zone is given."""
    if timezone == "UTC":
        return to_iso(now())
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # ValueError and OSError: names that are no file's, or a folder's, such as "Europe".
        expected = "should be an IANA time zone, such as Europe/Paris"
        raise InvalidArguments.of({"timezone": expected}) from None
    return to_iso(now().astimezone(zone))
