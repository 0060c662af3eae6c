from collections.abc import AsyncIterator

import pytest

from tests.tools.open_meteo_server import OpenMeteoServer
from tools import TOOLS
from tools.toolbox import Toolbox


@pytest.fixture
async def open_meteo() -> AsyncIterator[OpenMeteoServer]:
    async with OpenMeteoServer() as server:
        yield server


@pytest.fixture
async def toolbox(open_meteo: OpenMeteoServer) -> AsyncIterator[Toolbox]:
    async with Toolbox(TOOLS, open_meteo.settings) as toolbox:
        yield toolbox
