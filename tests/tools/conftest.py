from collections.abc import AsyncIterator

import pytest

from tests.tools.open_meteo_server import OpenMeteoServer
from tools import TOOLS
from tools.settings import ToolSettings
from tools.toolbox import Toolbox


@pytest.fixture
async def open_meteo() -> AsyncIterator[OpenMeteoServer]:
    async with OpenMeteoServer() as server:
        yield server


@pytest.fixture
async def toolbox(open_meteo: OpenMeteoServer) -> AsyncIterator[Toolbox]:
    settings = ToolSettings(
        weather_geocoding_url=open_meteo.url, weather_forecast_url=open_meteo.url
    )
    async with Toolbox(TOOLS, settings) as toolbox:
        yield toolbox
