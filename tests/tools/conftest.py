from collections.abc import AsyncIterator

import pytest

from tests.tools.open_meteo_server import OpenMeteoServer
from toolkit.settings import ToolSettings
from toolkit.toolbox import Toolbox
from tools import TOOLS


@pytest.fixture
async def open_meteo() -> AsyncIterator[OpenMeteoServer]:
    async with OpenMeteoServer() as server:
        yield server


@pytest.fixture
async def toolbox(open_meteo: OpenMeteoServer) -> AsyncIterator[Toolbox]:
    async with Toolbox(TOOLS, ToolSettings(open_meteo.settings)) as toolbox:
        yield toolbox
