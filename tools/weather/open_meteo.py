"""Open-Meteo's geocoding and forecast APIs (https://open-meteo.com/en/docs)."""

import math
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Literal, TypeVar

import aiohttp
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from toolkit import NotFound, RateLimited, Unavailable
from toolkit.clock import now
from tools.weather.place_name import PlaceName, readings
from tools.weather.weather_settings import WeatherSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolkit.context import ToolContext

Units = Literal["metric", "imperial"]

Answer = TypeVar("Answer", bound=BaseModel)

MAX_BODY = 64 * 1024
"""Bytes of an answer that are read; real ones have less than 2 kB."""

DEFAULT_RETRY_AFTER = 60.0
"""Seconds to wait after a 429 without Retry-After; Open-Meteo's shortest limit is per minute."""

MAX_RETRY_AFTER = 24 * 3600.0

PLACE_TTL = 24 * 3600.0
FORECAST_TTL = 600.0
CACHE_SIZE = 1000

MAX_MATCHES = 30
"""Places of one name, such as Springfield, that are searched for the one in a region."""

_CURRENT = (
    "temperature_2m,apparent_temperature,relative_humidity_2m,weather_code,"
    "wind_speed_10m,wind_direction_10m"
)
_IMPERIAL = {"temperature_unit": "fahrenheit", "wind_speed_unit": "mph"}


class _Answer(BaseModel):
    """Errors go to the log without the place that people ask for."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class Place(_Answer):
    """The coordinates of a city."""

    name: str
    country: str = ""
    country_code: str = ""
    admin1: str = ""
    admin2: str = ""
    admin3: str = ""
    admin4: str = ""
    latitude: float
    longitude: float

    @property
    def regions(self) -> tuple[str, ...]:
        """The country and the administrative areas that it is in, the largest first."""
        areas = (self.admin1, self.admin2, self.admin3, self.admin4)
        return (self.country, self.country_code, *areas)


class Conditions(_Answer):
    """The weather at a place, in the units that were asked for."""

    observed_at: AwareDatetime = Field(alias="time")
    temperature: float = Field(alias="temperature_2m")
    feels_like: float | None = Field(default=None, alias="apparent_temperature")
    humidity: float | None = Field(default=None, alias="relative_humidity_2m")
    weather_code: int
    wind_speed: float | None = Field(default=None, alias="wind_speed_10m")
    wind_direction: float | None = Field(default=None, alias="wind_direction_10m")


class _Places(_Answer):
    results: list[Place] = []


class _Forecast(_Answer):
    current: Conditions


async def find_place(context: "ToolContext", city: str) -> Place:
    """The best match for a city's name, kept for a day.

    A state or country may follow, with or without a comma; then the city is in that region.

    Raises:
        NotFound: Open-Meteo knows no such city.
        RateLimited, Unavailable: see `_fetch`.
    """

    async def fetch() -> Place:
        for reading in readings(city):
            if (place := await _search(context, reading)) is not None:
                return place
        raise NotFound(f"No such city: {city}")

    places = context.toolbox.cache(Place, ttl=PLACE_TTL, size=CACHE_SIZE)
    return await places.get(city.casefold(), fetch)


async def _search(context: "ToolContext", wanted: PlaceName) -> Place | None:
    if not wanted.name:
        return None
    count = MAX_MATCHES if wanted.qualifiers else 1
    query = {"name": wanted.name, "count": f"{count}", "language": "en", "format": "json"}
    url = context.settings[WeatherSettings].weather_geocoding_url
    found = (await _fetch(context, url, query, _Places)).results
    return next((place for place in found if wanted.fits(place.regions)), None)


async def current_conditions(context: "ToolContext", place: Place, units: Units) -> Conditions:
    """The weather at a place now, kept for ten minutes.

    Raises:
        RateLimited, Unavailable: see `_fetch`.
    """
    url = context.settings[WeatherSettings].weather_forecast_url
    query = {
        "latitude": f"{place.latitude}",
        "longitude": f"{place.longitude}",
        "current": _CURRENT,
        "timeformat": "unixtime",
        **(_IMPERIAL if units == "imperial" else {}),
    }

    async def fetch() -> Conditions:
        return (await _fetch(context, url, query, _Forecast)).current

    forecasts = context.toolbox.cache(Conditions, ttl=FORECAST_TTL, size=CACHE_SIZE)
    return await forecasts.get((place.latitude, place.longitude, units), fetch)


async def _fetch(
    context: "ToolContext", url: str, query: "Mapping[str, str]", kind: type[Answer]
) -> Answer:
    """One request, bounded in time and size.

    Raises:
        RateLimited: the service said 429.
        Unavailable: no connection, no answer in time, or an answer that makes no sense.
    """
    timeout = aiohttp.ClientTimeout(total=context.settings[WeatherSettings].weather_timeout)
    try:
        async with context.http.get(url, params=query, timeout=timeout) as response:
            if response.status == 429:
                raise _rate_limited(response.headers.get("Retry-After", ""))
            if response.status != 200:
                # Not raise_for_status: its error names the URL, and with it the city.
                raise aiohttp.ClientPayloadError(f"status {response.status}")
            return kind.model_validate_json(await _read(response))
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise Unavailable("Weather service unreachable") from error
    except ValidationError as error:
        raise Unavailable("Weather service unreachable: its answer makes no sense") from error


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for part in response.content.iter_any():
        body += part
        if len(body) > MAX_BODY:
            response.close()
            raise aiohttp.ClientPayloadError(f"answer of more than {MAX_BODY} bytes")
    return bytes(body)


def _rate_limited(header: str) -> RateLimited:
    """Retry-After is seconds or an HTTP date (RFC 9110, 10.2.3), and may be missing or nonsense."""
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(header) - now()).total_seconds()
        except (ValueError, TypeError):
            seconds = DEFAULT_RETRY_AFTER
    if not math.isfinite(seconds):
        seconds = DEFAULT_RETRY_AFTER
    seconds = math.ceil(min(max(seconds, 1.0), MAX_RETRY_AFTER))
    message = f"Weather service rate limited: try again in {seconds} s"
    return RateLimited(message, retry_after=seconds)
