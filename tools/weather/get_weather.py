"""getWeather: the weather in a city."""

import asyncio
from datetime import UTC
from typing import Annotated

from pydantic import Field

from toolkit import InvalidArguments, ToolContext, Unavailable, tool
from toolkit.clock import to_iso
from tools.weather import open_meteo, weather_codes
from tools.weather.open_meteo import Units
from tools.weather.weather_settings import WeatherSettings


@tool(settings=WeatherSettings)
async def get_weather(
    context: ToolContext,
    city: Annotated[
        str, Field(min_length=1, max_length=100, description="Name of the city, such as Paris")
    ],
    units: Annotated[
        Units, Field(description="metric: Celsius and km/h; imperial: Fahrenheit and mph")
    ] = "metric",
) -> dict[str, object]:
    """Get the current weather in a city."""
    city = " ".join(city.split())
    if not city:
        raise InvalidArguments.of({"city": "should not be blank"})
    try:
        async with asyncio.timeout(context.settings[WeatherSettings].weather_timeout):
            place = await open_meteo.find_place(context, city)
            weather = await open_meteo.current_conditions(context, place, units)
    except TimeoutError as error:
        raise Unavailable("Weather service unreachable") from error
    imperial = units == "imperial"
    return {
        "city": place.name,
        "country": place.country,
        "temperature": weather.temperature,
        "feelsLike": weather.feels_like,
        "units": units,
        "temperatureUnit": "°F" if imperial else "°C",
        "condition": weather_codes.describe(weather.weather_code),
        "humidity": weather.humidity,
        "windSpeed": weather.wind_speed,
        "windSpeedUnit": "mph" if imperial else "km/h",
        "windDirection": weather.wind_direction,
        "observedAt": to_iso(weather.observed_at.astimezone(UTC)),
    }
