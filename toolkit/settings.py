"""What tools can be configured with. The worker fills it in; tools read no environment."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSettings:
    """Settings of all tools. A tool that needs another one adds its field here.

    Attributes:
        weather_geocoding_url: Open-Meteo's geocoding endpoint.
        weather_forecast_url: Open-Meteo's forecast endpoint.
        proxy_for: the proxy that a URL is asked through, if any.
        weather_timeout: seconds that getWeather may wait for the service, all requests together.
    """

    proxy_for: Callable[[str], str | None] | None = None
    weather_geocoding_url: str = "https://geocoding-api.open-meteo.com/v1/search"
    weather_forecast_url: str = "https://api.open-meteo.com/v1/forecast"
    weather_timeout: float = 3.0
