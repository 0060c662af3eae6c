"""WeatherSettings: endpoints and timeout of getWeather."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ValueError("a URL that starts with http:// or https://")
    return value.rstrip("/")


HttpUrl = Annotated[str, AfterValidator(_http_url)]


class WeatherSettings(BaseModel):
    """Settings of getWeather; each field's name in capitals is its environment variable."""

    model_config = ConfigDict(frozen=True)

    weather_geocoding_url: HttpUrl = Field(
        default="https://geocoding-api.open-meteo.com/v1/search",
        description="Open-Meteo geocoding endpoint of getWeather",
    )
    weather_forecast_url: HttpUrl = Field(
        default="https://api.open-meteo.com/v1/forecast",
        description="Open-Meteo forecast endpoint of getWeather",
    )
    weather_timeout: float = Field(
        default=3.0,
        gt=0,
        le=60,
        description="seconds that getWeather may wait for Open-Meteo, all requests together",
    )
