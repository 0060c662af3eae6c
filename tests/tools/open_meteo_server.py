"""A server on loopback that plays Open-Meteo, and fails on request."""

import asyncio
from collections import Counter
from typing import Self

from aiohttp import web
from aiohttp.test_utils import TestServer

from tools.weather.weather_settings import WeatherSettings

PLACE: dict[str, object] = {
    "name": "Paris",
    "country": "France",
    "admin1": "Île-de-France",
    "latitude": 48.85341,
    "longitude": 2.3488,
}
PLACES: list[dict[str, object]] = [
    PLACE,
    {"name": "Paris", "country": "United States", "country_code": "US", "admin1": "Texas"},
    {"name": "San Francisco", "country": "Argentina", "country_code": "AR", "admin1": "Córdoba"},
    {
        "name": "San Francisco",
        "country": "United States",
        "country_code": "US",
        "admin1": "California",
    },
    {"name": "Las Vegas", "country": "United States", "country_code": "US", "admin1": "Nevada"},
    {"name": "Washington", "country": "United States", "admin1": "District of Columbia"},
    {"name": "London", "country": "United Kingdom", "country_code": "GB", "admin1": "England"},
    {"name": "San José", "country": "Costa Rica", "country_code": "CR"},
    {"name": "Prague", "country": "Czechia", "country_code": "CZ"},
    {"name": "Amsterdam", "country": "The Netherlands", "country_code": "NL"},
    {"name": "Seoul", "country": "South Korea", "country_code": "KR"},
    {"name": "Munich", "country": "Germany", "country_code": "DE", "admin1": "Bavaria"},
    {"name": "Nice", "country": "France", "admin1": "Provence-Alpes-Côte d'Azur"},
]
ALSO_KNOWN_AS = {"munich, deutschland": "munich"}
"""Names with a region that the service understands by itself, by other names that it knows of that
(open-meteo/geocoding-api#35)."""

CURRENT = {
    "time": 1769860800,
    "interval": 900,
    "temperature_2m": 7.4,
    "apparent_temperature": 4.1,
    "relative_humidity_2m": 81,
    "weather_code": 61,
    "wind_speed_10m": 13.0,
    "wind_direction_10m": 240,
}


class OpenMeteoServer:
    """Counts requests by endpoint; `fail` answers all of them, `hold` makes them wait."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.last_forecast_query: dict[str, str] = {}
        self.fail: web.Response | None = None
        self.released = asyncio.Event()
        self.released.set()
        self.arrived = asyncio.Event()
        app = web.Application()
        app.router.add_get("/v1/search", self._search)
        app.router.add_get("/v1/forecast", self._forecast)
        self._server = TestServer(app)

    async def __aenter__(self) -> Self:
        await self._server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.released.set()
        await self._server.close()

    @property
    def settings(self) -> WeatherSettings:
        return WeatherSettings(
            weather_geocoding_url=str(self._server.make_url("/v1/search")),
            weather_forecast_url=str(self._server.make_url("/v1/forecast")),
        )

    def hold(self) -> None:
        """Lets requests wait until `released` is set; `arrived` is set when one does."""
        self.released.clear()
        self.arrived.clear()

    async def _search(self, request: web.Request) -> web.StreamResponse:
        self.requests["search"] += 1
        if failure := await self._failure():
            return failure
        name = request.query["name"].casefold().removesuffix(" 2")
        name = ALSO_KNOWN_AS.get(name, name)
        found = [
            {"latitude": index, "longitude": index} | place
            for index, place in enumerate(PLACES)
            if str(place["name"]).casefold() == name
        ][: int(request.query["count"])]
        return web.json_response({"results": found} if found else {"generationtime_ms": 0.5})

    async def _forecast(self, request: web.Request) -> web.StreamResponse:
        self.requests["forecast"] += 1
        self.last_forecast_query = dict(request.query)
        return await self._failure() or web.json_response({"current": CURRENT})

    async def _failure(self) -> web.Response | None:
        self.arrived.set()
        await self.released.wait()
        return self.fail
