import asyncio
import json
import re
from datetime import timedelta
from email.utils import format_datetime

import pytest
from aiohttp import web
from aiohttp.test_utils import unused_port

from tests.tools.open_meteo_server import OpenMeteoServer
from toolkit.clock import now
from toolkit.errors import InvalidArguments, NotFound, RateLimited, Unavailable
from toolkit.settings import ToolSettings
from toolkit.toolbox import Toolbox
from tools import get_weather
from tools.weather.open_meteo import MAX_BODY, Conditions, Place
from tools.weather.weather_settings import WeatherSettings


async def test_result(toolbox: Toolbox) -> None:
    assert json.loads(await toolbox.call("getWeather", {"city": "paris"})) == {
        "city": "Paris",
        "country": "France",
        "temperature": 7.4,
        "feelsLike": 4.1,
        "units": "metric",
        "temperatureUnit": "°C",
        "condition": "slight rain",
        "humidity": 81,
        "windSpeed": 13.0,
        "windSpeedUnit": "km/h",
        "windDirection": 240,
        "observedAt": "2026-01-31T12:00:00.000Z",
    }


async def test_imperial_units_are_asked_for(toolbox: Toolbox, open_meteo: OpenMeteoServer) -> None:
    weather = json.loads(await toolbox.call("getWeather", {"city": "Paris", "units": "imperial"}))
    assert open_meteo.last_forecast_query["temperature_unit"] == "fahrenheit"
    assert open_meteo.last_forecast_query["wind_speed_unit"] == "mph"
    assert (weather["units"], weather["temperatureUnit"], weather["windSpeedUnit"]) == (
        "imperial",
        "°F",
        "mph",
    )


@pytest.mark.parametrize("city", ["", "   ", "x" * 101])
async def test_city_must_be_a_name(
    toolbox: Toolbox, open_meteo: OpenMeteoServer, city: str
) -> None:
    with pytest.raises(InvalidArguments) as caught:
        await toolbox.call("getWeather", {"city": city})
    assert list(caught.value.fields) == ["city"]
    assert not open_meteo.requests


async def test_no_such_city(toolbox: Toolbox, open_meteo: OpenMeteoServer) -> None:
    for _ in range(2):
        with pytest.raises(NotFound, match="No such city: Nowhere"):
            await toolbox.call("getWeather", {"city": "Nowhere"})
    assert open_meteo.requests == {"search": 2}  # a failure is not kept


@pytest.mark.parametrize(
    ("written", "city", "country"),
    [
        ("San Francisco, CA", "San Francisco", "United States"),
        ("san francisco, ca 94103, USA", "San Francisco", "United States"),
        ("San Francisco", "San Francisco", "Argentina"),
        ("San Francisco, Cordoba, Argentina", "San Francisco", "Argentina"),
        ("Las Vegas NV", "Las Vegas", "United States"),
        ("Las Vegas, Nevada", "Las Vegas", "United States"),
        ("Paris, France", "Paris", "France"),
        ("Paris France", "Paris", "France"),
        ("Paris, TX", "Paris", "United States"),
        ("Paris, US", "Paris", "United States"),
        ("Paris, FRANCE, ", "Paris", "France"),
        ("Washington, D.C.", "Washington", "United States"),
        ("Washington DC", "Washington", "United States"),
        ("London, UK", "London", "United Kingdom"),
        ("London, England, GB", "London", "United Kingdom"),
        ("San José Costa Rica", "San José", "Costa Rica"),
        ("Paris, Ile de France", "Paris", "France"),
        ("Prague, Czech Republic", "Prague", "Czechia"),
        ("Amsterdam, Netherlands", "Amsterdam", "The Netherlands"),
        ("Amsterdam, the Netherlands", "Amsterdam", "The Netherlands"),
        ("Amsterdam The Netherlands", "Amsterdam", "The Netherlands"),
        ("Seoul, Korea", "Seoul", "South Korea"),
        ("Paris, United States of America", "Paris", "United States"),
        ("Munich, Deutschland", "Munich", "Germany"),
        ("Nice， Provence-Alpes-Cote d'Azur", "Nice", "France"),  # noqa: RUF001
    ],
)
async def test_a_state_or_country_may_follow_the_citys_name(
    toolbox: Toolbox, written: str, city: str, country: str
) -> None:
    weather = json.loads(await toolbox.call("getWeather", {"city": written}))
    assert (weather["city"], weather["country"]) == (city, country)


@pytest.mark.parametrize(
    "city", ["Paris, Narnia", "Paris Narnia", "Paris, France, TX", ", France", "London Paris", ","]
)
async def test_a_city_that_is_not_in_that_region_is_not_found(toolbox: Toolbox, city: str) -> None:
    with pytest.raises(NotFound, match=f"No such city: {city}"):
        await toolbox.call("getWeather", {"city": city})


async def test_a_long_name_takes_few_requests(
    toolbox: Toolbox, open_meteo: OpenMeteoServer
) -> None:
    with pytest.raises(NotFound):
        await toolbox.call("getWeather", {"city": "a b c d e f g h i j k l"})
    assert open_meteo.requests == {"search": 4}


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), ("0.2", 1), ("", 60), ("soon", 60), ("nan", 60), ("-5", 1), ("1e99", 86400)],
)
async def test_rate_limited(
    toolbox: Toolbox, open_meteo: OpenMeteoServer, header: str, seconds: float
) -> None:
    open_meteo.fail = web.json_response(
        {"error": True}, status=429, headers={"Retry-After": header} if header else {}
    )
    with pytest.raises(RateLimited, match="rate limited") as caught:
        await toolbox.call("getWeather", {"city": "Paris"})
    assert caught.value.details == {"retryAfter": seconds}


async def test_rate_limited_until_a_date(toolbox: Toolbox, open_meteo: OpenMeteoServer) -> None:
    date = format_datetime(now() + timedelta(seconds=100), usegmt=True)
    open_meteo.fail = web.Response(status=429, headers={"Retry-After": date})
    with pytest.raises(RateLimited) as caught:
        await toolbox.call("getWeather", {"city": "Paris"})
    assert caught.value.retry_after is not None
    assert 90 < caught.value.retry_after <= 100


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, "{}"),
        (400, '{"error": true, "reason": "secret"}'),
        (200, "<html>"),
        (200, '{"results": [{"name": "Paris"}]}'),
        (200, '{"results": 5}'),
        (200, "[" * 10_000),
        (200, " " * (MAX_BODY + 1)),
    ],
)
async def test_a_service_that_makes_no_sense_is_unreachable(
    toolbox: Toolbox,
    open_meteo: OpenMeteoServer,
    caplog: pytest.LogCaptureFixture,
    status: int,
    body: str,
) -> None:
    open_meteo.fail = web.Response(status=status, text=body)
    with pytest.raises(Unavailable, match="Weather service unreachable") as caught:
        await toolbox.call("getWeather", {"city": "Paris"})
    assert "secret" not in str(caught.value)
    assert "getWeather failed" in caplog.text
    assert "Paris" not in caplog.text
    open_meteo.fail = None
    assert json.loads(await toolbox.call("getWeather", {"city": "Paris"}))["city"] == "Paris"


async def test_a_body_that_does_not_unpack(toolbox: Toolbox, open_meteo: OpenMeteoServer) -> None:
    open_meteo.fail = web.Response(body=b"{}", headers={"Content-Encoding": "gzip"})
    with pytest.raises(Unavailable):
        await toolbox.call("getWeather", {"city": "Paris"})


async def test_a_body_that_unpacks_to_much_more_is_not_read(
    toolbox: Toolbox, open_meteo: OpenMeteoServer
) -> None:
    response = web.Response(body=b" " * 20_000_000)
    response.enable_compression(web.ContentCoding.gzip)
    open_meteo.fail = response
    with pytest.raises(Unavailable):
        await toolbox.call("getWeather", {"city": "Paris"})


async def test_no_connection() -> None:
    nowhere = f"http://127.0.0.1:{unused_port()}"
    settings = WeatherSettings(weather_geocoding_url=nowhere, weather_forecast_url=nowhere)
    async with Toolbox([get_weather], ToolSettings(settings)) as toolbox:
        with pytest.raises(Unavailable, match="Weather service unreachable"):
            await toolbox.call("getWeather", {"city": "Paris"})


async def test_no_answer_in_time(open_meteo: OpenMeteoServer) -> None:
    settings = open_meteo.settings.model_copy(update={"weather_timeout": 0.05})
    open_meteo.hold()
    async with Toolbox([get_weather], ToolSettings(settings)) as toolbox, asyncio.timeout(2):
        with pytest.raises(Unavailable, match="Weather service unreachable"):
            await toolbox.call("getWeather", {"city": "Paris"})


async def test_places_and_forecasts_are_kept(toolbox: Toolbox, open_meteo: OpenMeteoServer) -> None:
    for city in ("Paris", "PARIS", " paris "):
        await toolbox.call("getWeather", {"city": city})
    assert open_meteo.requests == {"search": 1, "forecast": 1}
    await toolbox.call("getWeather", {"city": "Paris", "units": "imperial"})
    assert open_meteo.requests == {"search": 1, "forecast": 2}
    # Another name of the same place needs no forecast of its own.
    await toolbox.call("getWeather", {"city": "Paris 2"})
    assert open_meteo.requests == {"search": 2, "forecast": 2}
    assert len(toolbox.cache(Place, ttl=0, size=0)) == 2
    assert len(toolbox.cache(Conditions, ttl=0, size=0)) == 2


async def test_lookups_at_the_same_time_share_their_requests(
    toolbox: Toolbox, open_meteo: OpenMeteoServer
) -> None:
    open_meteo.hold()
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        calls = [
            group.create_task(toolbox.call("getWeather", {"city": "Paris"})) for _ in range(20)
        ]
        await open_meteo.arrived.wait()
        calls[0].cancel()
        open_meteo.released.set()
    assert calls[0].cancelled()
    assert len({call.result() for call in calls[1:]}) == 1
    assert open_meteo.requests == {"search": 1, "forecast": 1}


async def test_closing_ends_lookups(toolbox: Toolbox, open_meteo: OpenMeteoServer) -> None:
    open_meteo.hold()
    async with asyncio.timeout(5):
        call = asyncio.create_task(toolbox.call("getWeather", {"city": "Paris"}))
        await open_meteo.arrived.wait()
        await toolbox.aclose()
        with pytest.raises(Unavailable, match="Shutting down"):
            await call


def test_open_meteo_is_the_default() -> None:
    settings = WeatherSettings()
    assert re.fullmatch(r"https://.+\.open-meteo\.com/v1/search", settings.weather_geocoding_url)
    assert re.fullmatch(r"https://.+\.open-meteo\.com/v1/forecast", settings.weather_forecast_url)
    assert settings.weather_timeout == 3.0
